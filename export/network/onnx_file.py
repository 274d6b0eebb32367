"""Read an ONNX file that anybody may have written: with a bound, and of other files only weights that lie beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from export.bounds import MODEL_BYTES, open_plain, read_plain
from export.errors import BadModel

__all__ = ["read_onnx"]

WHOLE = "a whole ONNX file"


def read_onnx(path: Path) -> ModelProto:
    """Return the model of an ONNX file, which ONNX's own checker has passed.

    Raises:
        BadModel: If it is missing, too large or damaged, or its weights lie anywhere but beside it.
        OSError: If it cannot be read.
    """
    data = read_plain(path, WHOLE, MODEL_BYTES, BadModel)
    try:
        model = onnx.load_model_from_string(data)
        _read_weights(path, model)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, RuntimeError, ValueError) as exc:
        said = (str(exc).splitlines() or [type(exc).__name__])[0]
        raise BadModel(path, WHOLE, f"bytes that are none ({said})") from exc
    return model


def _read_weights(path: Path, model: ModelProto) -> None:
    """Read weights that lie in files of their own, as PyTorch writes large ones."""
    total = 0
    names = {_file_of(path, tensor) for tensor in model.graph.initializer if uses_external_data(tensor)}
    for name in sorted(names):
        with open_plain(path.parent / name, "the weights of an ONNX file", MODEL_BYTES, BadModel) as file:
            total += file.seek(0, 2)
    if total > MODEL_BYTES:
        raise BadModel(path, f"weights of up to {MODEL_BYTES >> 20} MiB", f"{total >> 20} MiB")
    held = sum(_length(tensor) for tensor in model.graph.initializer if uses_external_data(tensor))
    if held > total:
        raise BadModel(path, "weights that lie in its files once each", f"{held} bytes out of {total}")
    if names:
        load_external_data_for_model(model, str(path.parent))
    if any(map(uses_external_data, _within(model.graph))):
        raise BadModel(path, "weights of its own graph beside it", "others")


def _file_of(path: Path, tensor: TensorProto) -> str:
    """Return the name of the file that holds a tensor's numbers, which is a plain one."""
    name = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    if not name or name in (".", "..") or Path(name).name != name or (path.parent / name).is_symlink():
        raise BadModel(path, "weights in files beside it", repr(name[:80]))
    return name


def _length(tensor: TensorProto) -> int:
    """Return how many bytes of its file a tensor is."""
    lengths = [int(entry.value) for entry in tensor.external_data if entry.key == "length"]
    return lengths[0] if lengths else 0


def _within(graph: GraphProto) -> Iterable[TensorProto]:
    """Yield the tensors of a graph and of the graphs in its nodes."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer:
                    yield from _within(inner)
