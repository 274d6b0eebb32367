"""Read the ``coords.pkl`` of a LiveTalking avatar: a pickle, of which nothing is run.

A pickle is a program. Here it may make lists, tuples and numbers, and NumPy's whole numbers and arrays by way of
stand-ins that only read bytes; whatever else it names is refused.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bounds import COORDINATES_BYTES, FRAMES, read_plain
from export.errors import BadSource

__all__ = ["read_coordinates"]

NUMBER_TYPES = {f"{kind}{size}" for kind in "iuf" for size in (2, 4, 8)}


def read_coordinates(path: Path) -> NDArray[np.int32]:
    """Return the crops of a clip.

    Returns:
        (N, 4) int32: x1, y1, x2, y2 of each frame's, in pixels of its full picture; the last two are exclusive.

    Raises:
        BadSource: If the file is missing, calls Python code, or holds anything but four whole numbers a frame.
    """
    expected = "a pickled list of (x1, y1, x2, y2), one for each frame"
    data = read_plain(path, expected, COORDINATES_BYTES)
    try:
        content = _Numbers(io.BytesIO(data)).load()
        if len(content) <= FRAMES:
            _check_sides(
                content
            )  # a long list that is named in every frame would be millions of millions of numbers
            squares = np.array([[int(number) for number in square] for square in content], np.int64)
    except _Forbidden as exc:
        raise BadSource(path, expected, f"one that calls Python code ({exc})") from exc
    except Exception as exc:  # a damaged pickle raises whatever it trips over
        raise BadSource(path, expected, f"bytes that are none ({type(exc).__name__})") from exc
    if len(content) > FRAMES:
        raise BadSource(path, f"up to {FRAMES} crops", f"{len(content)}")
    if squares.ndim != 2 or squares.shape[1] != 4 or not len(squares):
        raise BadSource(path, expected, f"an array of shape {squares.shape}")
    if max(-int(squares.min()), int(squares.max())) > np.iinfo(np.int32).max:
        raise BadSource(path, expected, "numbers of more than 32 bits")
    return squares.astype(np.int32)


def _check_sides(content: Any) -> None:
    for square in content:
        if len(square) > 4:
            raise ValueError(f"{len(square)} numbers in a frame")


class _Forbidden(Exception):
    """Raised when a pickle names what is no number."""


class _Numbers(pickle._Unpickler):
    """Makes plain values, and numbers as NumPy pickles them; see ``pickle``, "Restricting Globals".

    It is the class in Python: the one in C sets gigabytes aside for a file whose only object is remembered as the
    four-thousand-millionth.
    """

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for one of the few things a list of numbers needs."""
        if (module, name) == ("numpy", "dtype"):
            return _NumberType
        if name == "scalar" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _scalar
        if (module, name) == ("_codecs", "encode"):
            return _bytes
        raise _Forbidden(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references out of the file."""
        raise _Forbidden("a persistent reference")


class _NumberType:
    """Stands in for ``numpy.dtype``: remembers which plain number type was named."""

    def __init__(self, code: str, *_: object) -> None:
        if code not in NUMBER_TYPES:
            raise _Forbidden(f"numpy.dtype {code!r}")
        self.dtype = np.dtype(f"<{code}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order, of all that a dtype's state says."""
        if state[1] not in ("<", ">", "=", "|"):
            raise _Forbidden(f"the byte order {state[1]!r}")
        self.dtype = self.dtype.newbyteorder(state[1])


def _bytes(text: str, codec: str) -> bytes:
    """Stand in for how the first pickle protocols write bytes."""
    if codec != "latin1":
        raise _Forbidden(f"the codec {codec!r}")
    return text.encode("latin1")


def _scalar(number_type: _NumberType, data: bytes) -> float:
    """Stand in for the function that makes a NumPy number of its bytes."""
    return float(np.frombuffer(data, number_type.dtype, 1)[0])
