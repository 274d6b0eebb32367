"""Read the pictures of a clip: JPEG and PNG by name, and none whose header claims more than a picture may hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bounds import JPEG_SCANS, PICTURE_BYTES, check_picture_size, read_plain
from export.errors import BadSource

__all__ = ["read_jpeg", "read_picture"]

JPEG_START, JPEG_END, JPEG_SCAN = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
PNG_START = b"\x89PNG\r\n\x1a\n"

SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Second bytes of the JPEG markers that a frame's header begins with."""

WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}
"""Of those that no length follows."""


def read_jpeg(path: Path) -> tuple[NDArray[np.uint8], bytes]:
    """Read a JPEG picture that must be whole.

    Returns:
        HxWx3 uint8 BGR, and the file's own bytes.

    Raises:
        BadSource: If the file is missing, cut short, of something else or too large.
        OSError: If it cannot be read.
    """
    expected = "a whole JPEG picture"
    data = read_plain(path, expected, PICTURE_BYTES)
    whole = JPEG_END in data[-64:]  # a decoder greys what is missing, or zeros
    return _decode(path, data, expected, _jpeg_size if whole else _no_size), data


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read a JPEG or PNG picture, HxWx3 uint8 BGR.

    Raises:
        BadSource: If the file is missing, of something else or too large.
        OSError: If it cannot be read.
    """
    expected = "a whole picture"
    data = read_plain(path, expected, PICTURE_BYTES)
    return _decode(path, data, expected, _png_size if data.startswith(PNG_START) else _jpeg_size)


def _decode(
    path: Path, data: bytes, expected: str, size_of: Callable[[bytes], tuple[int, int] | None]
) -> NDArray[np.uint8]:
    size = size_of(data)
    if size is not None:
        check_picture_size(path, *size)
    if (scans := data.count(JPEG_SCAN)) > JPEG_SCANS and size_of is _jpeg_size:
        raise BadSource(path, f"a JPEG picture of up to {JPEG_SCANS} scans", f"{scans}")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if size else None
    except cv2.error:  # what is damaged further on
        picture = None
    if picture is None:
        raise BadSource(path, expected, f"{len(data)} bytes that are none")
    return picture  # type: ignore[return-value]


def _no_size(_: bytes) -> None:
    return None


def _png_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG by its header; None if it has none, or is not whole."""
    if data[12:16] != b"IHDR" or not _is_whole_png(data):
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _is_whole_png(data: bytes) -> bool:
    """Return whether each chunk ends within the file: OpenCV sets aside what a chunk says that it has."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        if data[at + 4 : at + 8] == b"IEND":
            return True
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a JPEG by its frame's header; None if it has none before its pixels."""
    at = 2 if data.startswith(JPEG_START) else len(data)
    while (at := data.find(b"\xff", at)) >= 0 and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in SIZES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        if marker in (0xD9, 0xDA):
            return None
        skipped = (
            1
            if marker in WITHOUT_LENGTH or marker == 0xFF
            else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        )
        at += skipped
    return None
