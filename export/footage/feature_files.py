"""Read the speech features of a clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from speech.contract import VECTOR_SHAPES, vector_size

__all__ = ["FILE_NAMES", "find_modes", "modes_of", "read_audio_features"]

FILE_NAMES = {"ave": "aud_ave.npy", "hubert": "aud_hu.npy", "wenet": "aud_wenet.npy"}
"""What training repositories call the features of each mode."""


def read_audio_features(path: Path, audio_mode: str) -> NDArray[np.float32]:
    """Read the feature vectors of a clip, one per frame.

    Args:
        path: A ``.npy`` file, T x ... of any float type.
        audio_mode: ``ave``, ``hubert`` or ``wenet``.

    Returns:
        (T, D) float32; D is 512 for ave, 2048 for hubert, 8192 for wenet.

    Raises:
        BadSource: If the file is missing, cut short, of another shape, or holds anything but finite numbers.
    """
    length = vector_size(audio_mode)
    expected = f"T vectors of {length} float values ({audio_mode})"
    try:
        with path.open("rb") as file:
            features = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
    except FileNotFoundError as exc:
        raise BadSource(path, expected, "nothing there") from exc
    except Exception as exc:  # a damaged header raises anything, from MemoryError to TokenError
        reason = str(exc).partition("\n")[0] or type(exc).__name__
        raise BadSource(path, expected, f"no whole .npy file ({reason})") from exc
    if features.dtype.kind != "f":
        raise BadSource(path, expected, f"{features.dtype}")
    if features.ndim < 2 or len(features) == 0 or features[0].size != length:
        raise BadSource(path, expected, f"an array of shape {features.shape}")
    if not np.isfinite(features).all():
        raise BadSource(path, expected, "values that are not finite")
    return np.asarray(features, np.float32).reshape(len(features), length)


def find_modes(folder: Path) -> list[str]:
    """Return the audio modes whose features a clip's folder holds."""
    return [mode for mode, name in FILE_NAMES.items() if (folder / name).is_file()]


def modes_of(path: Path) -> list[str]:
    """Return the audio modes whose vectors a file may hold, by their length; none where it holds no vectors."""
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):  # which reading it will say better
        return []
    length = features[:1].size if features.ndim else 0
    return [mode for mode in VECTOR_SHAPES if vector_size(mode) == length]
