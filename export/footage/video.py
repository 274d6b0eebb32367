"""Decode a video that somebody brings, to the pictures that players show, and say plainly when one cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bounds import check_picture_size
from export.errors import BadSource
from export.footage.clip import Remark
from export.footage.container import decode, import_av, open_container, shown_track
from export.footage.showing import Showing, read_showing
from speech.contract import FPS

__all__ = ["FPS_RANGE", "VideoProperties", "open_video", "read_pictures", "read_timed_pictures"]

FPS_RANGE = (1.0, 240.0)


@dataclass(frozen=True)
class VideoProperties:
    """What a video's header and its first picture say.

    Attributes:
        fps: Frames per second; 25 where the header says nothing sensible.
        width: Of a picture as shown, in pixels.
        height: Likewise.
        start_s: When the first picture is shown, in seconds of the file's clock.
        remarks: What is done to the pictures so that they are as players show them.
    """

    fps: float
    width: int
    height: int
    start_s: float
    remarks: tuple[Remark, ...]


def open_video(path: Path, square_pixels: bool = True) -> VideoProperties:
    """Read a video's header and its first picture.

    Args:
        path: The video.
        square_pixels: As in ``read_pictures``.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If there is no such file, or it cannot be decoded or shown.
    """
    for frame, showing, fps in _frames(path, square_pixels):
        return VideoProperties(fps, *showing.size, frame.time or 0.0, tuple(showing.remarks()))
    raise _nothing_decoded(path)


def read_pictures(path: Path, count: int, square_pixels: bool = True) -> Iterator[NDArray[np.uint8]]:
    """Yield the first ``count`` pictures as players show them, HxWx3 uint8 BGR.

    Args:
        path: The video.
        count: How many pictures.
        square_pixels: Stretch pictures whose pixels are not square; not for landmarks, which count stored pixels.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the video cannot be decoded or shown, or ends before.
    """
    index = 0
    for frame, showing, _ in _frames(path, square_pixels):
        if index == count:
            return
        yield _show(path, showing, frame)
        index += 1
    if index < count:
        raise BadSource(path, f"a video of at least {count} frames", f"{index} that can be decoded")


def read_timed_pictures(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield every picture as players show it, HxWx3 uint8 BGR, and when, in seconds; later each time.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the video cannot be decoded or shown, or holds no picture.
    """
    last_s: float | None = None
    for frame, showing, fps in _frames(path):
        time_s = frame.time
        if last_s is not None and (time_s is None or time_s <= last_s):  # a container without time stamps
            time_s = last_s + 1 / fps
        last_s = time_s or 0.0
        yield last_s, _show(path, showing, frame)
    if last_s is None:
        raise _nothing_decoded(path)


def _frames(path: Path, square_pixels: bool = True) -> Iterator[tuple[Any, Showing, float]]:
    """Yield each decoded frame, how it is shown, and the frames per second."""
    with open_container(path) as container:
        track = shown_track(container.streams.video)
        if track is None:
            raise BadSource(path, "a video track that FFmpeg can decode", "none")
        width, height = track.codec_context.width, track.codec_context.height
        if width and height:  # some headers do not say; the decoder has the bound, too
            check_picture_size(path, width, height)
        track.thread_type = "AUTO"
        fps = float(track.guessed_rate or track.average_rate or FPS)
        fps = fps if FPS_RANGE[0] <= fps <= FPS_RANGE[1] else FPS
        showing: Showing | None = None
        for frame in decode(container, track):
            if showing is None:
                showing = read_showing(path, track, frame, square_pixels)
            _check_size(path, frame, showing)
            yield frame, showing, fps


def _show(path: Path, showing: Showing, frame: Any) -> NDArray[np.uint8]:
    try:
        return showing.show(frame)
    except import_av().FFmpegError as exc:
        got = f"{frame.format.name} of colour space {frame.colorspace}"
        raise BadSource(path, "pictures whose colours FFmpeg can convert", got) from exc


def _check_size(path: Path, frame: Any, showing: Showing) -> None:
    if (frame.width, frame.height) != showing.stored_size:
        (width, height), at_s = showing.stored_size, frame.time or 0.0
        got = f"{frame.width}x{frame.height} from {at_s:.2f} s on"
        raise BadSource(path, f"pictures of one size, {width}x{height}", got)


def _nothing_decoded(path: Path) -> BadSource:
    return BadSource(path, "a video of at least 1 frame", "none that can be decoded")
