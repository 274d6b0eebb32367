"""Any weights a user has, to the one ONNX form that is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from export.errors import BadCheckpoint, BadModel, MissingExtra
from export.network.borders import add_borders, has_borders, tensor_shapes
from speech.contract import AUDIO_SHAPES

__all__ = ["find_checkpoint", "load_served_model"]

PACKAGE_NAMES = ("best_trainloss.pth", "model_best.pth", "model_best.onnx")

Report = Callable[[str], object]


def find_checkpoint(path: Path) -> Path:
    """Return the weights file that ``path`` means.

    A folder means, in this order: a package's ``best_trainloss.pth``, ``model_best.pth`` or ``model_best.onnx``,
    else the ``<epoch>.pth`` with the highest epoch.

    Raises:
        BadCheckpoint: If there is no such file.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise BadCheckpoint(path, "a checkpoint file or folder", "nothing there")
    for name in PACKAGE_NAMES:
        if (path / name).is_file():
            return path / name
    epochs = [file for file in path.glob("*.pth") if file.stem.isdecimal()]
    if not epochs:
        raise BadCheckpoint(path, f"<epoch>.pth or one of {', '.join(PACKAGE_NAMES)} in it", "none of them")
    return max(epochs, key=lambda file: int(file.stem))


def load_served_model(path: Path, audio_mode: str, precision: str, say: Report = print) -> ModelProto:
    """Return the served graph of a checkpoint or an ONNX file.

    A ``.pth`` is exported and verified against PyTorch. A bare network (``input``, ``audio`` to ``output``, as the
    predecessor's packages carry it) gets its borders. A served graph is taken as it is. ONNX needs no torch.

    Args:
        path: A file, or a folder that ``find_checkpoint`` understands.
        audio_mode: A key of ``AUDIO_SHAPES``.
        precision: ``fp32`` or ``fp16``; an ONNX file keeps its own.
        say: Receives a line per step worth reading.

    Raises:
        BadCheckpoint: If there is no such file, or it is not a U-Net 328's.
        BadModel: If an ONNX file cannot be read, or has other tensors.
        MissingExtra: If a checkpoint is given and torch is not installed.
        VerificationFailed: If the export differs from PyTorch.
    """
    found = find_checkpoint(path)
    if found.suffix == ".onnx":
        return _adopt(found, audio_mode)
    try:
        from export.network.checkpoint import load_checkpoint
        from export.network.onnx_model import export_network
        from export.network.verify import verify
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    network = load_checkpoint(found, audio_mode)
    say(f"exporting {found} (width {network.width}, {audio_mode}, {precision})")
    model = export_network(network, precision)
    for agreement in verify(model, network, precision):
        say(f"  {agreement}")
    return model


def _adopt(path: Path, audio_mode: str) -> ModelProto:
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError) as exc:
        raise BadModel(
            path, "a whole ONNX file", f"bytes that are none ({str(exc).splitlines()[0]})"
        ) from exc
    if not has_borders(model):
        model = add_borders(model, path)
    audio_shape = tensor_shapes(list(model.graph.input))["audio"][1:]
    if audio_shape != AUDIO_SHAPES[audio_mode]:
        raise BadModel(path, f"audio of shape {AUDIO_SHAPES[audio_mode]} ({audio_mode})", str(audio_shape))
    return model
