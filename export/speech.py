"""From sound to the vectors a network hears, with an audio encoder as PyTorch checkpoint or as ONNX file.

ONNX needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.errors import BadModel, BadSource, MissingExtra
from export.mel import SAMPLE_RATE_HZ, WINDOW_FRAMES, mel_spectrogram, mel_windows, window_count
from export.wav import read_speech

__all__ = ["Encoder", "encode", "extract_features", "open_encoder"]

Encoder = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps mel windows (B, 1, 80, 16) float32, -4.0 to 4.0, to vectors (B, 512) float32, 0.0 and up."""

BATCH_SIZE = 128
SIGNATURE = ([("mel", [1, 80, 16])], [("features", [512])])


def open_encoder(path: Path) -> Encoder:
    """Open an audio encoder: an ONNX file that ``python -m export audio-encoder`` wrote, or a ``.pth``.

    Raises:
        MissingExtra: If the file is a checkpoint and torch is not installed.
        BadCheckpoint: If a checkpoint is not an audio encoder's.
        BadModel: If an ONNX file is missing, cannot be read, or has other tensors.
    """
    if path.suffix == ".onnx":
        return _open_onnx(path)
    try:
        from export.audio_encoder import load_encoder, on_arrays
    except ModuleNotFoundError as exc:
        raise MissingExtra("torch", "export") from exc
    return on_arrays(load_encoder(path))


def extract_features(wav: Path, encoder: Encoder) -> NDArray[np.float32]:
    """Return the feature vectors of a WAV file, as dataset folders keep them in ``aud_ave.npy``.

    One vector a video frame, at 25 per second, and a copy of the first and of the last at the ends.

    Args:
        wav: PCM WAV of any rate.
        encoder: From mel windows to vectors.

    Returns:
        (T, 512) float32.

    Raises:
        BadSource: If the file is missing, no PCM WAV, silent, or shorter than one window.
    """
    samples = read_speech(wav)
    mel = mel_spectrogram(samples)
    if not window_count(mel.shape[1]):
        shortest_s = (WINDOW_FRAMES - 1) / 80
        raise BadSource(
            wav, f"at least {shortest_s:.2f} s of speech", f"{len(samples) / SAMPLE_RATE_HZ:.2f} s"
        )
    return encode(mel, encoder)


def encode(mel: NDArray[np.float32], encoder: Encoder) -> NDArray[np.float32]:
    """Return the feature vectors of a mel spectrogram, with a copy of the first and of the last at the ends.

    Args:
        mel: (80, T) float32, T at least 16.
        encoder: From mel windows to vectors.

    Returns:
        (window_count(T) + 2, 512) float32.
    """
    windows = mel_windows(mel, window_count(mel.shape[1]))[:, None]
    parts = np.split(windows, range(BATCH_SIZE, len(windows), BATCH_SIZE))
    vectors = np.concatenate([encoder(part) for part in parts])
    return np.concatenate([vectors[:1], vectors, vectors[-1:]])


def _open_onnx(path: Path) -> Encoder:
    expected = "an ONNX audio encoder, mel (B, 1, 80, 16) to features (B, 512)"
    if not path.is_file():
        raise BadModel(path, expected, "nothing there")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as exc:  # ONNX Runtime's own exceptions have no common base
        raise BadModel(path, expected, f"a file that ONNX Runtime cannot load ({_first_line(exc)})") from exc
    got = tuple(
        [(tensor.name, tensor.shape[1:]) for tensor in tensors]
        for tensors in (session.get_inputs(), session.get_outputs())
    )
    if got != SIGNATURE:
        raise BadModel(path, expected, f"{got[0]} to {got[1]}")

    def vectors(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        (features,) = session.run(["features"], {"mel": windows})
        return np.asarray(features, np.float32)

    return vectors


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
