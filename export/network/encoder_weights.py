"""Open an audio encoder from either kind of file that a user may have, ONNX or PyTorch weights."""

from __future__ import annotations

from pathlib import Path

from export.errors import MissingExtra
from speech.features import AudioEncoder
from speech.features import open_encoder as open_onnx_encoder

__all__ = ["open_encoder"]


def open_encoder(path: Path) -> AudioEncoder:
    """Open an audio encoder: an ONNX file that ``python -m export audio-encoder`` wrote, or a ``.pth``.

    Raises:
        MissingExtra: If the file is a checkpoint and torch is not installed.
        BadCheckpoint: If a checkpoint is not an audio encoder's.
        BadEncoder: If an ONNX file is missing, cannot be read, or has other tensors.
    """
    if path.suffix == ".onnx":
        return open_onnx_encoder(path)
    try:
        from export.network.audio_encoder import load_encoder, on_arrays
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    return on_arrays(load_encoder(path))
