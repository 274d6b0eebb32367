"""Which container a video is, by its first bytes: FFmpeg is told, and never guesses.

Among the formats that it guesses are playlists, which name further files to be read: any that the importer may read
would come back as pictures. What is opened here stays open while it is read, so that it is what was looked at.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from export.bounds import VIDEO_BYTES, open_plain
from export.errors import BadSource

__all__ = ["PACKAGE_FORMATS", "PROTOCOLS", "VIDEO_FORMATS", "VideoFile", "open_video_file"]

VIDEO_FORMATS = {
    "mov": ("MP4", "MOV"),
    "avi": ("AVI",),
    "matroska": ("MKV", "WebM"),
    "flv": ("FLV",),
    "mpegts": ("TS",),
}
"""FFmpeg's names of the containers that are read, and ours; none of them reads further files."""

PACKAGE_FORMATS = ("mov", "avi", "matroska")

PROTOCOLS = "file"
"""What FFmpeg may open, by its ``protocol_whitelist``."""

ATOMS = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}
PACKET_BYTES, SYNC = 188, 0x47
HEAD_BYTES = 4 * PACKET_BYTES


class VideoFile(NamedTuple):
    """A video that is open.

    Attributes:
        url: What FFmpeg opens: the very file that was looked at, whatever has its name by now.
        format_name: FFmpeg's name of its container.
        size: In bytes.
    """

    url: str
    format_name: str
    size: int


@contextlib.contextmanager
def open_video_file(path: Path, formats: Collection[str] = tuple(VIDEO_FORMATS)) -> Iterator[VideoFile]:
    """Lend a video whose container is one of ``formats``, some of ``VIDEO_FORMATS``.

    Raises:
        BadSource: If there is no such file, or its first bytes are of something else.
        OSError: If it cannot be read.
    """
    with open_plain(path, "a video file", VIDEO_BYTES) as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, 2)
        name = _format_of(head)
        if name not in formats:
            *others, last = [called for known in formats for called in VIDEO_FORMATS[known]]
            expected = f"a video that is {', '.join(others)} or {last}"
            raise BadSource(path, expected, f"{size} bytes of something else")
        yield VideoFile(f"file:/proc/self/fd/{file.fileno()}", name, size)


def _format_of(head: bytes) -> str:
    """Return FFmpeg's name of the container that begins so; empty if it is none that is known."""
    if head[4:8] in ATOMS:
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "matroska"
    if head[:3] == b"FLV":
        return "flv"
    starts = (0, 4)  # the second with the time stamps of a camera's M2TS
    steps = (PACKET_BYTES, PACKET_BYTES + 4)
    if any(_begins_packets(head, start, step) for start, step in zip(starts, steps, strict=True)):
        return "mpegts"
    return ""


def _begins_packets(head: bytes, start: int, step: int) -> bool:
    return len(head) > start + step and all(byte == SYNC for byte in head[start::step])
