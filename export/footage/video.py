"""Decode videos, and say plainly when one cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from speech.contract import FPS

__all__ = ["FPS_RANGE", "VideoProperties", "open_video", "read_pictures", "read_timed_pictures"]

FPS_RANGE = (1.0, 240.0)


@dataclass(frozen=True)
class VideoProperties:
    """What a video's header says.

    Attributes:
        fps: Frames per second; 25 where the header says nothing sensible.
        width: In pixels.
        height: In pixels.
    """

    fps: float
    width: int
    height: int


def open_video(path: Path) -> VideoProperties:
    """Read a video's header.

    Raises:
        BadSource: If there is no such file or it cannot be decoded.
    """
    capture = _capture(path)
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        size = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    finally:
        capture.release()
    return VideoProperties(fps if FPS_RANGE[0] <= fps <= FPS_RANGE[1] else FPS, *size)


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


def read_timed_pictures(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield every picture, HxWx3 uint8 BGR, and when it is shown, in seconds; later each time.

    Raises:
        BadSource: If the video cannot be decoded or holds no picture.
    """
    usual_interval_s = 1 / open_video(path).fps
    capture = _capture(path)
    last_s: float | None = None
    try:
        while True:
            ok, picture = capture.read()
            if not ok:
                break
            time_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if last_s is not None and time_s <= last_s:  # a container without time stamps gives none
                time_s = last_s + usual_interval_s
            last_s = time_s
            yield time_s, picture  # type: ignore[misc]
    finally:
        capture.release()
    if last_s is None:
        raise BadSource(path, "a video of at least 1 frame", "none that can be decoded")


def _capture(path: Path) -> cv2.VideoCapture:
    if not path.is_file():
        raise BadSource(path, "a video file", "nothing there")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise BadSource(path, "a video that FFmpeg can decode", f"{path.stat().st_size} bytes it cannot")
    return capture
