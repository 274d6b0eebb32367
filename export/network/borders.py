"""Give a U-Net's ONNX graph the uint8 borders it is served with.

Inside the graph go: cast, scale, mask, concatenate, the network, scale, truncate, cast. A frame then crosses
process and PCIe borders as 307 KB (U-Net 160: 77 KB) instead of 2.4 MB of float32. Nodes between the casts are such
that TensorRT's parser takes them: a UINT8 tensor only ever feeds a Cast, or comes out of the last one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from export.contract import GEOMETRIES, Geometry, geometry_of_size
from export.errors import BadModel

__all__ = [
    "NETWORK_INPUTS",
    "NETWORK_OUTPUT",
    "SCALE_OUT",
    "add_borders",
    "has_borders",
    "mouth_mask",
    "tensor_shapes",
]

NETWORK_INPUTS = ("input", "audio")
NETWORK_OUTPUT = "output"
SERVED_INPUTS = ("face", "audio")
SERVED_OUTPUT = "image"
INNER_AUDIO = "audio_features"
SCALE_OUT = "border_scale_out"
"""The node that takes the network's output, 0.0 to 1.0, to levels."""


def mouth_mask(geometry: Geometry) -> NDArray[np.float32]:
    """Return the mask that blacks the mouth out: (1, 1, S, S) float32, 0.0 in the rectangle, else 1.0."""
    mask = np.ones((1, 1, geometry.face_size, geometry.face_size), np.float32)
    mask[..., slice(*geometry.mask_rows), slice(*geometry.mask_columns)] = 0.0
    return mask


def tensor_shapes(values: list[ValueInfoProto]) -> dict[str, tuple[int | str, ...]]:
    """Return the shape of each graph input or output; a dynamic axis is its name."""
    return {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param
            for dim in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def has_borders(model: ModelProto) -> bool:
    """Tell whether the graph is a served one: ``face`` and ``audio`` in, ``image`` out."""
    return tuple(value.name for value in model.graph.input) == SERVED_INPUTS and [
        value.name for value in model.graph.output
    ] == [SERVED_OUTPUT]


def add_borders(model: ModelProto, path: Path) -> ModelProto:
    """Wrap a bare network into the served graph.

    Args:
        model: Inputs ``input`` (B, 6, S, S) and ``audio`` (B, C, H, W), output ``output`` (B, 3, S, S), all float32
            or all float16, BGR, 0.0 to 1.0; S is 320 or 160. Changed in place.
        path: Where it came from, for messages.

    Returns:
        Inputs ``face`` (batch, S, S, 3) uint8 BGR and ``audio`` (batch, C, H, W) float32, output ``image``
        (batch, S, S, 3) uint8 BGR, truncated.

    Raises:
        BadModel: If the inputs or outputs are others, or the shapes within do not fit them.
    """
    geometry, audio_shape = _check_network(model, path)
    graph = model.graph
    dtype = graph.input[0].type.tensor_type.elem_type
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == "audio":
                node.input[index] = INNER_AUDIO
    inner = list(graph.node)
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend([*_entrance(graph, geometry, dtype), *inner, *_exit(graph, dtype)])
    picture: list[str | int | None] = ["batch", geometry.face_size, geometry.face_size, 3]
    graph.input.extend(
        [
            helper.make_tensor_value_info("face", TensorProto.UINT8, picture),
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", *audio_shape]),
        ]
    )
    graph.output.append(helper.make_tensor_value_info(SERVED_OUTPUT, TensorProto.UINT8, picture))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.shape_inference.InferenceError, onnx.checker.ValidationError, ValueError) as exc:
        said = str(exc).splitlines()[0]
        raise BadModel(
            path, "a network whose shapes fit one another", f"one of which ONNX says: {said}"
        ) from exc
    return model


def _check_network(model: ModelProto, path: Path) -> tuple[Geometry, tuple[int | str, ...]]:
    """Return how the network sees a face, and the shape of its window of speech."""
    shapes = tensor_shapes([*model.graph.input, *model.graph.output])
    names = (*NETWORK_INPUTS, NETWORK_OUTPUT)
    if tuple(shapes) != names or len(shapes["audio"]) != 4:
        raise BadModel(
            path, f"the inputs and output {', '.join(names)}", ", ".join(map(str, shapes)) or "none"
        )
    size = shapes["input"][-1]
    geometry = geometry_of_size(size) if isinstance(size, int) else None
    if geometry is None or shapes["input"][1:] != (6, size, size):
        known = " or ".join(f"(batch, 6, {one.face_size}, {one.face_size})" for one in GEOMETRIES.values())
        raise BadModel(path, f"input of shape {known}", str(shapes["input"]))
    if shapes["output"][1:] != (3, size, size):
        raise BadModel(path, f"output of shape (batch, 3, {size}, {size})", str(shapes["output"]))
    types = {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    if types not in ({TensorProto.FLOAT}, {TensorProto.FLOAT16}):
        kinds = {number: kind for kind, number in TensorProto.DataType.items()}
        got = ", ".join(
            sorted(kinds.get(number, f"type {number}") for number in types)
        )  # a file has any number
        raise BadModel(path, "inputs and output all FLOAT or all FLOAT16", got)
    return geometry, shapes["audio"][1:]


def _entrance(graph: GraphProto, geometry: Geometry, dtype: int) -> list[onnx.NodeProto]:
    numpy_dtype = helper.tensor_dtype_to_np_dtype(dtype)
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(255, numpy_dtype), "border_255"),
            numpy_helper.from_array(mouth_mask(geometry).astype(numpy_dtype), "border_mask"),
        ]
    )
    return [
        helper.make_node("Cast", ["face"], ["border_levels"], "border_cast_in", to=dtype),
        helper.make_node(
            "Transpose", ["border_levels"], ["border_nchw"], "border_to_nchw", perm=[0, 3, 1, 2]
        ),
        helper.make_node("Div", ["border_nchw", "border_255"], ["border_face"], "border_scale_in"),
        helper.make_node("Mul", ["border_face", "border_mask"], ["border_masked"], "border_black_out"),
        helper.make_node("Concat", ["border_face", "border_masked"], ["input"], "border_concat", axis=1),
        helper.make_node("Cast", ["audio"], [INNER_AUDIO], "border_cast_audio", to=dtype),
    ]


def _exit(graph: GraphProto, dtype: int) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Mul", [NETWORK_OUTPUT, "border_255"], ["border_scaled"], SCALE_OUT),
        helper.make_node(
            "Transpose", ["border_scaled"], ["border_nhwc"], "border_to_nhwc", perm=[0, 2, 3, 1]
        ),
        helper.make_node("Cast", ["border_nhwc"], [SERVED_OUTPUT], "border_cast_out", to=TensorProto.UINT8),
    ]
