"""From sound to feature vectors, with an audio encoder in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ
from speech.errors import BadEncoder, BadSound
from speech.mel import WINDOW_FRAMES, mel_spectrogram, mel_windows, window_count
from speech.wav import check_speech

__all__ = ["AudioEncoder", "encode", "extract_features", "open_encoder"]

AudioEncoder = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps mel windows (B, 1, 80, 16) float32, -4.0 to 4.0, to vectors (B, 512) float32, 0.0 and up."""

BATCH_SIZE = 128
SIGNATURE = ([("mel", [1, 80, 16])], [("features", [512])])


def open_encoder(path: Path) -> AudioEncoder:
    """Open an ONNX audio encoder, as ``python -m export audio-encoder`` writes it.

    Raises:
        BadEncoder: If the file is missing, cannot be read, or has other tensors.
    """
    expected = "an ONNX audio encoder, mel (B, 1, 80, 16) to features (B, 512)"
    if not path.is_file():
        raise BadEncoder(path, expected, "nothing there")
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        tensors = session.get_inputs(), session.get_outputs()
        got = tuple([(tensor.name, tensor.shape[1:]) for tensor in side] for side in tensors)
    except Exception as exc:  # ONNX Runtime's own exceptions have no common base, names may be no text
        raise BadEncoder(
            path, expected, f"a file that ONNX Runtime cannot load ({_first_line(exc)})"
        ) from exc
    if got != SIGNATURE:
        raise BadEncoder(path, expected, f"{got[0]} to {got[1]}")

    def vectors(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        (features,) = session.run(["features"], {"mel": windows})
        return np.asarray(features, np.float32)

    return vectors


def extract_features(
    samples: NDArray[np.float32], encoder: AudioEncoder, source: Path
) -> NDArray[np.float32]:
    """Return the feature vectors of a sound, as dataset folders keep them in ``aud_ave.npy``.

    One vector a video frame, at 25 per second, and a copy of the first and of the last at the ends.

    Args:
        samples: (S,) float32, 16 kHz mono, -1.0 to 1.0.
        encoder: From mel windows to vectors.
        source: The file they are from, for messages.

    Returns:
        (T, 512) float32.

    Raises:
        BadSound: If the sound is silent, or shorter than one window.
    """
    mel = mel_spectrogram(check_speech(samples, source))
    if not window_count(mel.shape[1]):
        shortest_s = (WINDOW_FRAMES - 1) / 80
        raise BadSound(
            source, f"at least {shortest_s:.2f} s of speech", f"{len(samples) / SAMPLE_RATE_HZ:.2f} s"
        )
    return encode(mel, encoder)


def encode(mel: NDArray[np.float32], encoder: AudioEncoder) -> NDArray[np.float32]:
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


def _first_line(exc: Exception) -> str:
    return str(exc).partition("\n")[0]
