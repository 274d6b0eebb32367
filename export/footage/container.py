"""Open a video or sound file with FFmpeg's libraries, which come with PyAV: no FFmpeg program is needed."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from export.bounds import PICTURE_PIXELS
from export.errors import BadSource, MissingExtra
from export.footage.formats import PROTOCOLS, open_video_file

__all__ = [
    "decodable_tracks",
    "decode",
    "import_av",
    "is_default",
    "open_container",
    "packets",
    "shown_track",
]

DEFAULT, ATTACHED_PICTURE = 0x1, 0x400
"""Bits of a track's disposition: the one that players take, and a cover, which is no video."""


@contextlib.contextmanager
def open_container(path: Path, options: dict[str, str] | None = None) -> Iterator[Any]:
    """Lend a file, opened by FFmpeg; the one place where a file that people bring is opened so.

    FFmpeg is told which container it is, opens no other file for it, and decodes no picture past the bound.

    Args:
        path: The file.
        options: FFmpeg's for its format, such as ``ignore_editlist``.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If there is no such file, it is of another container, or FFmpeg cannot open it.
        OSError: If it cannot be read.
    """
    av = import_av()
    with open_video_file(path) as file:
        try:
            # tags in another encoding than UTF-8 are no reason to refuse a file
            container = av.open(
                file.url,
                format=file.format_name,
                options={"protocol_whitelist": PROTOCOLS, **(options or {})},
                metadata_errors="replace",
            )
        except av.FFmpegError as exc:
            raise BadSource(path, "a video that FFmpeg can decode", f"{file.size} bytes it cannot") from exc
        with container:
            for track in container.streams.video:
                if track.codec_context:
                    track.codec_context.options = {"max_pixels": str(PICTURE_PIXELS)}
            yield container


def import_av() -> ModuleType:
    """Return PyAV.

    Raises:
        MissingExtra: If it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ModuleNotFoundError as exc:
        raise MissingExtra("PyAV", "video") from exc


def decodable_tracks(tracks: Any) -> list[Any]:
    """Return the tracks of a kind that can be played: no covers, and none whose codec FFmpeg does not know."""
    return [
        track for track in tracks if track.codec_context and not track.disposition.value & ATTACHED_PICTURE
    ]


def shown_track(tracks: Any) -> Any | None:
    """Return the track that players take of a kind's: the first one marked as default, else the first, if any."""
    known = decodable_tracks(tracks)
    return next(filter(is_default, known), known[0] if known else None)


def is_default(track: Any) -> bool:
    """Return whether a track is marked as the one to be played."""
    return bool(track.disposition.value & DEFAULT)


def decode(container: Any, track: Any) -> Iterator[Any]:
    """Yield a track's frames, as its edit list has them; what is broken within is passed over, as players do."""
    av = import_av()
    for packet in packets(container, track):
        if not packet.size and packet.dts is not None:  # stored empty; to a decoder it would mean the end
            continue
        with contextlib.suppress(av.FFmpegError):
            yield from packet.decode()


def packets(container: Any, track: Any) -> Iterator[Any]:
    """Yield a track's packets, or with None all tracks', and an empty one of each at the end.

    A file that breaks off ends there.
    """
    av = import_av()
    tracks = container.demux(track) if track is not None else container.demux()
    with contextlib.suppress(av.FFmpegError):
        yield from tracks
