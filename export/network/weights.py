"""Any weights a user has, to the one ONNX form that is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onnx import ModelProto

from export.errors import BadCheckpoint, MissingExtra
from export.network.adopted import adopt, kinds_of_model
from export.network.kinds import Kind

__all__ = ["find_checkpoint", "find_kinds", "load_served_model"]

PACKAGE_NAMES = ("best_trainloss.pth", "model_best.pth", "model_best.onnx", "ultralight.pth")

Report = Callable[[str], object]


def find_checkpoint(path: Path) -> Path:
    """Return the weights file that ``path`` means.

    A folder means, in this order: a package's ``best_trainloss.pth``, ``model_best.pth`` or ``model_best.onnx``,
    LiveTalking's ``ultralight.pth``, else the ``<epoch>.pth`` with the highest epoch.

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


def find_kinds(path: Path) -> tuple[Kind, ...]:
    """Return which networks a weights file can hold, by its shapes: one, or one for each audio mode of equal shapes.

    Args:
        path: A file, or a folder that ``find_checkpoint`` understands.

    Raises:
        BadCheckpoint, BadModel: If there is no such file, or it is no network's of this family.
        MissingExtra: If a checkpoint is given and torch is not installed.
    """
    found = find_checkpoint(path)
    if found.suffix == ".onnx":
        return kinds_of_model(found)
    try:
        from export.network.checkpoint import kinds_of_checkpoint
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    return kinds_of_checkpoint(found)


def load_served_model(path: Path, audio_mode: str | None, precision: str, say: Report = print) -> ModelProto:
    """Return the served graph of a checkpoint or an ONNX file.

    A ``.pth`` is exported and verified against PyTorch. A bare network (``input``, ``audio`` to ``output``, as the
    predecessor's packages carry it) gets its borders. A served graph is taken as it is. ONNX needs no torch.

    Args:
        path: A file, or a folder that ``find_checkpoint`` understands.
        audio_mode: ``ave``, ``hubert`` or ``wenet``; None: what the weights say, and ave where they fit ave and
            hubert alike.
        precision: ``fp32`` or ``fp16``; an ONNX file keeps its own.
        say: Receives a line per step worth reading.

    Raises:
        BadCheckpoint: If there is no such file, or it is not a network's of this family.
        BadModel: If an ONNX file cannot be read, or has other tensors.
        BadMode: If the weights are for other features than those of ``audio_mode``.
        MissingExtra: If a checkpoint is given and torch is not installed.
        VerificationFailed: If the export differs from PyTorch.
    """
    found = find_checkpoint(path)
    if found.suffix == ".onnx":
        return adopt(found, audio_mode)
    try:
        from export.network.checkpoint import load_checkpoint
        from export.network.onnx_model import export_network
        from export.network.verify import verify
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    network = load_checkpoint(found, audio_mode)
    what = f"{network.geometry.name}, width {network.width}, {network.audio_mode}"
    say(f"exporting {found} ({what}, {precision})")
    model = export_network(network, precision)
    for agreement in verify(model, network, precision):
        say(f"  {agreement}")
    return model
