"""Any audio encoder a user has: found, opened to hear with, or made the model that is served."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from export.errors import BadModel, MissingExtra
from export.network.finite import check_finite_model
from export.network.onnx_file import read_onnx
from export.network.speech_model import add_ears, verify_ears
from speech.errors import BadEncoder
from speech.features import AudioEncoder
from speech.features import open_encoder as open_onnx_encoder

__all__ = ["find_encoder", "load_speech_model", "open_encoder"]

NAMES = ("audio_encoder.onnx", "audio_encoder.pth", "audio_visual_encoder.pth")
"""What an audio encoder beside a checkpoint is called: by us, and by the training repositories."""


def find_encoder(checkpoint: Path) -> Path | None:
    """Return the AVE audio encoder that lies beside a checkpoint, a file or a folder, if there is one."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def open_encoder(path: Path) -> AudioEncoder:
    """Open an audio encoder: an ONNX file that ``python -m export audio-encoder`` wrote, or a ``.pth``.

    Raises:
        MissingExtra: If the file is a checkpoint and torch is not installed.
        BadCheckpoint: If a checkpoint is not an audio encoder's.
        BadEncoder: If an ONNX file is missing, cannot be read, or has other tensors.
    """
    if path.suffix == ".onnx":
        if path.is_file():  # else it is said below
            _check_model(path)
        return open_onnx_encoder(path)
    try:
        from export.network.audio_encoder import load_encoder, on_arrays
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    return on_arrays(load_encoder(path))


def _check_model(path: Path) -> None:
    """Check what ONNX Runtime, which knows no bounds, is to open."""
    try:
        read_onnx(path)
    except BadModel as exc:
        raise BadEncoder(exc.path, exc.expected, exc.got) from exc


def load_speech_model(path: Path) -> ModelProto:
    """Return the verified graph from sound to feature vectors that an audio encoder gives; see ``add_ears``.

    Raises:
        MissingExtra: If the file is a checkpoint and torch is not installed.
        BadCheckpoint: If a checkpoint is not an audio encoder's.
        BadEncoder: If an ONNX file is missing, cannot be read, is too large, or has other tensors.
        BadModel: If its weights are not finite.
        VerificationFailed: If the graph differs from the encoder.
    """
    encoder = open_encoder(path)
    model = add_ears(_load_model(path))
    verify_ears(model, encoder)
    return model


def _load_model(path: Path) -> ModelProto:
    if path.suffix == ".onnx":
        model = read_onnx(path)
        check_finite_model(path, model)
        return model
    from export.network.audio_encoder import export_encoder, load_encoder

    return export_encoder(load_encoder(path))
