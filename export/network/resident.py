"""Put an avatar's faces into its network's graph: a frame's number goes in, and its face never leaves the device.

The graph takes ``face_id`` instead of ``face``, and gathers the face itself. It cannot refuse a number: one outside the
clip is brought to the nearest frame, so that no memory beside the faces is ever read. The refusal is the lookup's,
which comes before it in every ensemble.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.bounds import RESIDENT_BYTES
from export.errors import BadSource
from export.network.borders import tensor_shapes

__all__ = ["FACES_FILE", "hold_faces", "refer_to_faces"]

FACES_FILE = "faces.npy"
FACES, FACE = "resident_faces", "face"


def refer_to_faces(model: ModelProto, faces: Path) -> ModelProto:
    """Return a copy of a served graph that finds the faces in a file ``faces.npy`` beside it, as ONNX Runtime does.

    Args:
        model: ``face`` (batch, S, S, 3) uint8 and ``audio`` in, ``image`` out.
        faces: The file, (N, S, S, 3) uint8. Nothing of it is copied: ONNX's external data are its bytes after the
            header, so that the file beside the graph may be a link.

    Raises:
        BadSource: If the faces are too large.
    """
    array = _open(faces)
    tensor = TensorProto(name=FACES, data_type=TensorProto.UINT8, dims=array.shape)
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", FACES_FILE), ("offset", array.offset), ("length", array.nbytes)):
        tensor.external_data.add(key=key, value=str(value))
    return _gathering(model, tensor)


def hold_faces(model: ModelProto, faces: Path) -> ModelProto:
    """Return a copy of a served graph that holds the faces itself, as float16, as TensorRT is given them.

    float16 has all of 0 to 255 exactly. TensorRT for RTX takes uint8 as well, and stores each number in four bytes.

    Args:
        model: ``face`` (batch, S, S, 3) uint8 and ``audio`` in, ``image`` out.
        faces: The file, (N, S, S, 3) uint8.

    Raises:
        BadSource: If the faces are too large.
    """
    return _gathering(model, numpy_helper.from_array(_open(faces).astype(np.float16), FACES))


def _open(path: Path) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    array: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = np.load(path, mmap_mode="r")
    if array.nbytes > RESIDENT_BYTES:
        most = f"faces of up to {RESIDENT_BYTES >> 20} MiB in the network ({RESIDENT_BYTES // array[0].nbytes} frames)"
        raise BadSource(
            path, most, f"{array.nbytes >> 20} MiB ({len(array)} frames): leave them to the lookup"
        )
    return array


def _gathering(model: ModelProto, faces: TensorProto) -> ModelProto:
    """Return a copy of a graph that gathers its faces from a tensor."""
    assert tensor_shapes(list(model.graph.input))[FACE][1:] == tuple(faces.dims[1:])
    resident = ModelProto()
    resident.CopyFrom(model)
    graph = resident.graph
    audio = next(value for value in graph.input if value.name == "audio")
    picture = next(value for value in graph.input if value.name == FACE)
    face_id = helper.make_tensor_value_info("face_id", TensorProto.INT32, ["batch", 1])
    kept = [helper.make_value_info(audio.name, audio.type), helper.make_value_info(FACE, picture.type)]
    del graph.input[:]
    graph.input.extend([face_id, kept[0]])
    nodes = [*_nodes(), *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend([*_constants(faces.dims[0]), faces])
    if faces.data_type == TensorProto.UINT8:
        graph.value_info.append(kept[1])  # whoever proves shapes needs all of them
    return resident


def _constants(count: int) -> list[TensorProto]:
    arrays: dict[str, NDArray[np.generic]] = {
        "resident_axis": np.array([1], np.int64),
        "resident_first": np.array([0], np.int32),
        "resident_last": np.array([count - 1], np.int32),
    }
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]


def _nodes() -> list[NodeProto]:
    """Return the nodes from a frame's number to its face. Clip would do for Max and Min, but not for int32 on CUDA."""
    make = helper.make_node
    return [
        make("Squeeze", ["face_id", "resident_axis"], ["resident_ids"], "resident_squeeze"),  # (B,)
        make("Max", ["resident_ids", "resident_first"], ["resident_from_first"], "resident_max"),
        make("Min", ["resident_from_first", "resident_last"], ["resident_rows"], "resident_min"),
        make("Gather", [FACES, "resident_rows"], [FACE], "resident_gather", axis=0),  # (B, S, S, 3)
    ]
