"""Read the speech features of a clip."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from export.bounds import FEATURES_BYTES, FRAMES, open_plain
from export.errors import BadSource
from export.footage.agreement import VECTOR_TOLERANCE
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
    with open_plain(path, expected, FEATURES_BYTES) as file:
        try:
            shape, dtype = _read_header(file)
            if not dtype.hasobject:  # which are refused below
                _check_claim(path, shape, dtype, length, expected)
            if math.prod(shape) * dtype.itemsize > os.fstat(file.fileno()).st_size:
                raise ValueError("its end is missing")
            file.seek(0)
            features = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
        except BadSource:
            raise
        except Exception as exc:  # a damaged header raises anything, from MemoryError to TokenError
            reason = str(exc).partition("\n")[0] or type(exc).__name__
            raise BadSource(path, expected, f"no whole .npy file ({reason})") from exc
    if not np.isfinite(features).all():
        raise BadSource(path, expected, "values that are not finite")
    with np.errstate(over="raise"):
        try:
            return np.asarray(features, np.float32).reshape(len(features), length)
        except FloatingPointError as exc:
            raise BadSource(path, expected, "values past float32's") from exc


def _check_claim(
    path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], length: int, expected: str
) -> None:
    """Check what a header claims before room for it is set aside."""
    if dtype.kind != "f":
        raise BadSource(path, expected, f"{dtype}")
    if len(shape) < 2 or shape[0] < 1 or math.prod(shape[1:]) != length:
        raise BadSource(path, expected, f"an array of shape {shape}")
    if shape[0] > FRAMES + VECTOR_TOLERANCE:
        raise BadSource(path, f"up to {FRAMES} vectors", f"{shape[0]}")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of a ``.npy`` file's array; whatever is damaged raises anything."""
    version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, _, dtype = readers[version](file)  # type: ignore[no-untyped-call]
    return shape, dtype


def find_modes(folder: Path) -> list[str]:
    """Return the audio modes whose features a clip's folder holds."""
    return [mode for mode, name in FILE_NAMES.items() if (folder / name).is_file()]


def modes_of(path: Path) -> list[str]:
    """Return the audio modes whose vectors a file may hold, by their length; none where it holds no vectors."""
    try:
        with open_plain(path, "speech features", FEATURES_BYTES) as file:
            shape, _ = _read_header(file)
    except Exception:  # which reading it will say better
        return []
    length = math.prod(shape[1:]) if shape else 0
    return [mode for mode in VECTOR_SHAPES if vector_size(mode) == length]
