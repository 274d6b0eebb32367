"""ONNX files that others exported, or we did, to the served form. No torch here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from export.contract import geometry_of_size
from export.errors import BadModel
from export.network.borders import add_borders, has_borders, tensor_shapes
from export.network.finite import check_finite_model
from export.network.kinds import Kind, choose_kind
from export.network.onnx_file import read_onnx
from export.network.rewrite.check import example_frame
from export.network.trial import check_serves
from speech.contract import VECTOR_SHAPES, window_shape

__all__ = ["adopt", "kinds_of_model"]

WINDOWS = (16, 8)
LEVELS_APART = 1
"""How far pictures of one frame may differ alone and in a batch, in levels of 255: sums are ordered otherwise."""


def kinds_of_model(path: Path) -> tuple[Kind, ...]:
    """Return which network an ONNX file holds.

    Raises:
        BadModel: If it cannot be read, or its inputs are no network's of the family.
    """
    model, _ = _read(path)
    return (_kind(path, model),)


def adopt(path: Path, audio_mode: str | None) -> ModelProto:
    """Return the served graph of an ONNX file: a bare network gets its borders, a served graph is taken as it is.

    A graph that was exported for a batch of one frame is made to take any, and tried.

    Raises:
        BadModel: If it cannot be read or run, has other tensors, weights that are not finite, or takes one frame only.
        BadMode: If it is for other features than those of ``audio_mode``.
    """
    model, was_fixed = _read(path)
    if was_fixed:
        _check_batch(path, model)
    choose_kind(path, [_kind(path, model)], audio_mode)
    check_finite_model(path, model)
    check_serves(path, model)
    return model


def _read(path: Path) -> tuple[ModelProto, bool]:
    """Return a file's served graph, and whether it was made for one frame."""
    model = read_onnx(path)
    if has_borders(model):
        return model, False
    was_fixed = _free_batch(model)
    return add_borders(model, path), was_fixed


def _kind(path: Path, served: ModelProto) -> Kind:
    shapes = tensor_shapes(list(served.graph.input))
    size = shapes["face"][-2]
    geometry = geometry_of_size(size) if isinstance(size, int) else None
    if geometry is None or shapes["face"][1:] != (size, size, 3):
        raise BadModel(
            path, "face of shape (batch, 320, 320, 3) or (batch, 160, 160, 3)", str(shapes["face"])
        )
    for mode in VECTOR_SHAPES:
        for window in WINDOWS:
            if shapes["audio"][1:] == window_shape(mode, window):
                return Kind(geometry, mode, window)
    known = ", ".join(str(window_shape(mode, window)) for mode in VECTOR_SHAPES for window in WINDOWS)
    raise BadModel(path, f"audio of one of the shapes {known}", str(shapes["audio"][1:]))


def _free_batch(model: ModelProto) -> bool:
    """Give the batch axis of a graph's borders a name where it is a number; tell whether it was."""
    fixed = False
    for value in [*model.graph.input, *model.graph.output]:
        if not value.type.tensor_type.shape.dim:
            continue
        batch = value.type.tensor_type.shape.dim[0]
        if batch.HasField("dim_value"):
            batch.dim_param, fixed = "batch", True
    if fixed:
        del model.graph.value_info[:]  # which say one frame, too
    return fixed


def _check_batch(path: Path, model: ModelProto) -> None:
    """Run a graph that was made for one frame on two, together and alone.

    Raises:
        BadModel: If it cannot, or the pictures differ.
    """
    expected = "a network whose batch can vary (export it with a dynamic first axis)"
    one = example_frame(model)
    other = {name: values[:, ::-1].copy() for name, values in one.items()}
    both = {name: np.concatenate([one[name], other[name]]) for name in one}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        together = session.run(["image"], both)[0]
        alone = np.concatenate([session.run(["image"], frame)[0] for frame in (one, other)])
    except Exception as exc:  # ONNX Runtime raises classes of its own for each code
        raise BadModel(path, expected, "one that takes one frame only") from exc
    if _apart(together, alone) > LEVELS_APART:
        raise BadModel(path, expected, "one that mixes the frames of a batch")


def _apart(left: NDArray[np.uint8], right: NDArray[np.uint8]) -> int:
    return int(np.abs(left.astype(int) - right.astype(int)).max())
