"""Try a served graph that somebody brings, before it is kept: what it declares, how large it grows, one frame."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
import onnxruntime
from onnx import ModelProto, TensorProto

from export.bounds import TENSOR_NUMBERS
from export.errors import BadModel
from export.network.borders import tensor_shapes
from export.network.rewrite.check import example_frame

__all__ = ["check_serves"]

TYPES = {"face": TensorProto.UINT8, "audio": TensorProto.FLOAT, "image": TensorProto.UINT8}


def check_serves(path: Path, model: ModelProto) -> None:
    """Check that a graph gives a picture of the face it is given.

    Args:
        path: Where it came from, for messages.
        model: With inputs ``face`` (batch, S, S, 3) and ``audio``.

    Raises:
        BadModel: If it declares other tensors, grows too large on the way, or ONNX Runtime cannot run it.
    """
    _check_borders(path, model)
    _check_sizes(path, model)
    expected = "a network that ONNX Runtime can run"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it says is in the sentence
    frame = example_frame(model)
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        (image,) = session.run(["image"], frame)
    except Exception as exc:  # ONNX Runtime raises classes of its own for each code
        said = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise BadModel(path, expected, f"one of which it says: {said[:300]}") from exc
    if image.shape != frame["face"].shape or image.dtype != frame["face"].dtype:
        got = f"{image.dtype} of shape {image.shape}"
        raise BadModel(path, f"a picture of shape {frame['face'].shape}, uint8", got)


def _check_borders(path: Path, model: ModelProto) -> None:
    ends = [*model.graph.input, *model.graph.output]
    shapes = tensor_shapes(ends)
    types = {value.name: value.type.tensor_type.elem_type for value in ends}
    if types != TYPES or shapes["image"][1:] != shapes["face"][1:]:
        got = ", ".join(f"{name} {list(shapes[name])} of type {types[name]}" for name in shapes)
        raise BadModel(path, "face and image uint8 of one size, audio float32", got[:300])


def _check_sizes(path: Path, model: ModelProto) -> None:
    """Check how large the tensors between nodes grow for one frame, as far as their shapes are known beforehand."""
    one = ModelProto()
    one.CopyFrom(model)
    for value in [*one.graph.input, *one.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del one.graph.value_info[:]
    try:
        inferred = onnx.shape_inference.infer_shapes(one, strict_mode=True, data_prop=True)
    except Exception as exc:  # InferenceError, and whatever damaged attributes raise
        said = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise BadModel(
            path, "a network whose shapes fit one another", f"one of which ONNX says: {said[:300]}"
        ) from exc
    for value in inferred.graph.value_info:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(shape) > TENSOR_NUMBERS:
            expected = f"tensors of up to {TENSOR_NUMBERS} numbers a frame"
            raise BadModel(path, expected, f"{value.name[:80]} of shape {shape}")
