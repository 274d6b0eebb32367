"""Read the videos of a package: pictures that the predecessor stored with OpenCV, and that come back as it stored them.

What a container says about how to show its pictures is left aside here: a package's faces and rectangles were made of
the pictures as OpenCV decodes them, and so was its network. It needs no PyAV.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.container import file_url

__all__ = ["Size", "open_video", "read_pictures"]


class Size(NamedTuple):
    """Of a video's pictures, in pixels."""

    width: int
    height: int


def open_video(path: Path) -> Size:
    """Return the size of a video's pictures.

    Raises:
        BadSource: If there is no such file or it cannot be decoded.
    """
    capture = _capture(path)
    try:
        width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    finally:
        capture.release()
    return Size(int(width), int(height))


def read_pictures(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the first ``count`` pictures, HxWx3 uint8 BGR.

    Raises:
        BadSource: If the video cannot be decoded or ends before.
    """
    capture = _capture(path)
    try:
        for index in range(count):
            ok, picture = capture.read()
            if not ok:
                raise BadSource(path, f"a video of at least {count} frames", f"{index} that can be decoded")
            yield picture  # type: ignore[misc]
    finally:
        capture.release()


def _capture(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise BadSource(path, "a video file", "nothing there")
    capture = cv2.VideoCapture(file_url(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise BadSource(path, "a video that FFmpeg can decode", f"{path.stat().st_size} bytes it cannot")
    return capture
