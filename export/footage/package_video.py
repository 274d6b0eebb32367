"""Read the videos of a package: pictures that the predecessor stored with OpenCV, and that come back as it stored them.

What a container says about how to show its pictures is left aside here: a package's faces and rectangles were made of
the pictures as OpenCV decodes them, and so was its network. It needs no PyAV.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bounds import check_picture_size
from export.errors import BadSource
from export.footage.formats import PACKAGE_FORMATS, PROTOCOLS, open_video_file

__all__ = ["Size", "open_video", "read_pictures"]


OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class Size(NamedTuple):
    """Of a video's pictures, in pixels."""

    width: int
    height: int


def open_video(path: Path) -> Size:
    """Return the size of a video's pictures.

    Raises:
        BadSource: If there is no such file, it cannot be decoded, or its pictures are too large.
    """
    with _capture(path) as capture:
        return _size(path, capture)


def read_pictures(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the first ``count`` pictures, HxWx3 uint8 BGR; OpenCV brings all to the size of the first.

    Raises:
        BadSource: If the video cannot be decoded, ends before, or its pictures are too large.
    """
    with _capture(path) as capture:
        _size(path, capture)
        for index in range(count):
            ok, picture = capture.read()
            if not ok:
                raise BadSource(path, f"a video of at least {count} frames", f"{index} that can be decoded")
            yield picture  # type: ignore[misc]


def _size(path: Path, capture: cv2.VideoCapture) -> Size:
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    check_picture_size(path, int(width), int(height))
    return Size(int(width), int(height))


@contextlib.contextmanager
def _capture(path: Path) -> Iterator[cv2.VideoCapture]:
    with open_video_file(path, PACKAGE_FORMATS) as file:
        with _options(f"input_format;{file.format_name}|protocol_whitelist;{PROTOCOLS}"):
            capture = cv2.VideoCapture(file.url, cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise BadSource(path, "a video that FFmpeg can decode", f"{file.size} bytes it cannot")
            yield capture
        finally:
            capture.release()


@contextlib.contextmanager
def _options(options: str) -> Iterator[None]:
    """Have OpenCV hand FFmpeg its options; it takes them from the environment alone."""
    before = os.environ.get(OPTIONS)
    os.environ[OPTIONS] = options
    try:
        yield
    finally:
        if before is None:
            del os.environ[OPTIONS]
        else:
            os.environ[OPTIONS] = before
