"""Read the speech features of a clip."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from speech.contract import AUDIO_SHAPES, AUDIO_WINDOW

__all__ = ["FILE_NAMES", "check_counts", "read_audio_features"]

FILE_NAMES = {"ave": "aud_ave.npy", "hubert": "aud_hu.npy", "wenet": "aud_wenet.npy"}
"""What training repositories call the features of each mode."""

COUNT_TOLERANCE = 5
"""Feature vectors that may be missing or left over at the end of a clip; published clips differ by 1 or 2."""


def read_audio_features(path: Path, audio_mode: str) -> NDArray[np.float32]:
    """Read the feature vectors of a clip, one per frame.

    Args:
        path: A ``.npy`` file, T x ... of any float type.
        audio_mode: A key of ``AUDIO_SHAPES``; a window of 16 vectors fills its shape.

    Returns:
        (T, D) float32; D is 512 for ave, 2048 for hubert, 8192 for wenet.

    Raises:
        BadSource: If the file is missing, cut short, of another shape, or holds anything but finite numbers.
    """
    length = math.prod(AUDIO_SHAPES[audio_mode]) // AUDIO_WINDOW
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
    if features.ndim < 2 or len(features) == 0 or math.prod(features.shape[1:]) != length:
        raise BadSource(path, expected, f"an array of shape {features.shape}")
    if not np.isfinite(features).all():
        raise BadSource(path, expected, "values that are not finite")
    return np.asarray(features, np.float32).reshape(len(features), length)


def check_counts(path: Path, vector_count: int, frame_count: int) -> None:
    """Check that features and frames are of one clip.

    Raises:
        BadSource: If their counts differ by more than 5.
    """
    if abs(vector_count - frame_count) > COUNT_TOLERANCE:
        raise BadSource(
            path,
            f"{frame_count} feature vectors (one a frame, give or take {COUNT_TOLERANCE})",
            f"{vector_count}",
        )
