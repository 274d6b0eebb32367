"""How much an import may hold, in one place: whatever is read was written by somebody, and may claim anything.

A bound is checked against what a header claims before anything of that size is set aside. What sounds may be stands in
``speech.wav``, the rates of clips in ``export.footage.agreement``.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from export.errors import BadFile, BadSource

__all__ = [
    "AVATAR_BYTES",
    "CHECKPOINT_BYTES",
    "COORDINATES_BYTES",
    "DESCRIPTION_BYTES",
    "FEATURES_BYTES",
    "FRAMES",
    "JPEG_SCANS",
    "LANDMARK",
    "LANDMARKS_BYTES",
    "MODEL_BYTES",
    "PACKAGE_BYTES",
    "PACKAGE_DEPTH",
    "PACKAGE_FILES",
    "PICTURE_BYTES",
    "PICTURE_PIXELS",
    "PICTURE_SIDE",
    "RECTANGLES_BYTES",
    "RESIDENT_BYTES",
    "TENSOR_NUMBERS",
    "VIDEO_BYTES",
    "check_picture_size",
    "open_plain",
    "read_plain",
]

MIB, GIB = 1 << 20, 1 << 30

FRAMES = 90_000
"""An hour at 25 a second; its faces alone are 28 GB."""

PICTURE_SIDE, PICTURE_PIXELS = 8192, 36_000_000
"""8K, 7680x4320, has 33 million; decoded, that many are 108 MB."""

PICTURE_BYTES = 64 * MIB
JPEG_SCANS = 100
"""A progressive JPEG has about ten; each walks the whole picture, so that a small file can take hours."""

LANDMARK = 1_000_000
"""Pixels from the picture's corner, either way: far past every picture, and far from what 32 bits cannot hold."""

LANDMARKS_BYTES = 64 << 10
"""110 lines have 2 KB."""

RESIDENT_BYTES = 960 * MIB
"""Of faces within a network, 131 s of a U-Net 328 at 25 a second: as float16 they stay below protobuf's 2 GiB."""

DESCRIPTION_BYTES = MIB
"""Of ``avatar.json`` and ``package_info.json``, which have 1 KB."""

RECTANGLES_BYTES, COORDINATES_BYTES = 32 * MIB, 16 * MIB
"""An hour's rectangles are 6 MB of JSON, its coordinates 2 MB of pickle."""

FEATURES_BYTES = 4 * GIB
"""An hour of wenet's vectors, the longest, is 2.4 GB."""

CHECKPOINT_BYTES = GIB
"""A U-Net 328 of full width has 49 MB, with what its optimiser keeps 150 MB."""

MODEL_BYTES = 512 * MIB
"""Of an ONNX file with its weights."""

TENSOR_NUMBERS = 1 << 26
"""Between two nodes of a network, for one frame; a U-Net 328's largest has 3 million."""

VIDEO_BYTES = 64 * GIB
PACKAGE_BYTES, PACKAGE_FILES, PACKAGE_DEPTH = 8 * GIB, 10_000, 8
"""Of a package that others wrote, which is copied before it is read."""

AVATAR_BYTES = 64 * GIB
"""Of faces and full pictures: an hour has some 55 GB."""


def open_plain(path: Path, expected: str, most: int, error: type[BadFile] = BadSource) -> BinaryIO:
    """Open a file that is a plain one, of up to ``most`` bytes; a pipe does not keep us waiting.

    Args:
        path: The file.
        expected: What it should be, for the message if nothing is there.
        most: Its greatest size in bytes.
        error: The class of what is raised.

    Raises:
        BadFile: If it is missing, larger or no file; an ``error``.
        OSError: If it cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as exc:
        raise error(path, expected, "nothing there") from exc
    file = os.fdopen(number, "rb") if stat.S_ISREG(os.fstat(number).st_mode) else None
    if file is None:
        os.close(number)
        raise error(path, "a plain file", "a folder or a device")
    size = os.fstat(number).st_size
    if size > most:
        file.close()
        raise error(path, f"a file of up to {_shown(most)}", _shown(size))
    return file


def read_plain(path: Path, expected: str, most: int, error: type[BadFile] = BadSource) -> bytes:
    """Read a file that ``open_plain`` opens.

    Raises:
        BadFile: If it is missing, larger or no file; an ``error``.
        OSError: If it cannot be read.
    """
    with open_plain(path, expected, most, error) as file:
        return file.read(most)


def check_picture_size(path: Path, width: int, height: int) -> None:
    """Check that pictures are small enough to be decoded.

    Raises:
        BadSource: If they are not.
    """
    if not (0 < width <= PICTURE_SIDE and 0 < height <= PICTURE_SIDE and width * height <= PICTURE_PIXELS):
        expected = (
            f"pictures of 1 to {PICTURE_SIDE} pixels a side, {PICTURE_PIXELS // 1_000_000} million in all"
        )
        raise BadSource(path, expected, f"{width}x{height}")


def _shown(size: int) -> str:
    return f"{size >> 20} MiB" if size >= MIB else f"{size} bytes"
