"""Tell a video that is whole from one whose download or copy broke off: by what its header counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.errors import BadSource
from export.footage.container import open_container, packets, shown_track

__all__ = ["check_whole"]

TIMING = {"mov", "matroska", "flv"}
"""Containers whose header says how long they last; of others FFmpeg guesses it from what is there."""

MISSING_S = 1.0
"""How much shorter than its header says a video may be: lengths are rounded, and tracks end apart."""


def check_whole(path: Path) -> None:
    """Check that a video holds what its header counts; it is read through, and nothing is decoded.

    MP4 counts pictures, AVI bytes, and of other containers the header says how long they last.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If something is missing, with both counts.
    """
    options = {"ignore_editlist": "1"}  # the header counts what is cut away, too
    with open_container(path, options) as container:
        video = shown_track(container.streams.video)
        formats = set(container.format.name.split(","))
        if "avi" in formats:
            _check_size(path)
        elif video is not None and formats & TIMING:
            counted = video.frames if "mov" in formats else 0
            _check_packets(path, counted, (container.duration or 0) / 1e6, *_measure(container, video))


def _check_size(path: Path) -> None:
    """Check the size of a RIFF file; none is written by a recorder that was switched off."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8)[4:], "little") + 8
    if size > (got := path.stat().st_size):
        raise BadSource(path, f"a whole video of {size} bytes, as its header counts", f"{got}")


def _check_packets(path: Path, counted: int, length_s: float, count: int, end_s: float) -> None:
    if count < counted:
        raise BadSource(path, f"a whole video of {counted} pictures, as its header counts", f"{count}")
    if not counted and end_s < length_s - MISSING_S:
        raise BadSource(path, f"a whole video of {length_s:.2f} s, as its header says", f"{end_s:.2f} s")


def _measure(container: Any, video: Any) -> tuple[int, float]:
    """Return how many whole pictures a video has, and when the last of its pictures and sounds ends, in seconds."""
    count, end_s = 0, 0.0
    for packet in packets(container, None):
        is_end = packet.dts is None and not packet.size
        if packet.is_corrupt or is_end:
            continue
        count += packet.stream.index == video.index
        if packet.pts is not None:
            end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return count, end_s
