"""Videos that say something about how they are to be shown: written lossless, and headers changed by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE_HZ = 16_000
MATRIX_OFFSET, EDIT_OFFSET = 44, 12
"""Where a track header's matrix and the first edit's media time are, from the name of their boxes on."""


def write_film(
    path: Path,
    pictures: Sequence[np.ndarray],
    sounds: Sequence[np.ndarray] = (),
    default: int = 0,
    aspect: Fraction = Fraction(1),
    language: str = "und",
) -> None:
    """Write a lossless ``.mov`` at 25 frames per second.

    Args:
        path: The file.
        pictures: HxWx3 uint8 BGR.
        sounds: A track each, (S,) or (2, S) int16 at 16 kHz.
        default: Which of them players take.
        aspect: Width of a pixel over its height.
        language: What all sounds are in.
    """
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = container.add_stream("png", rate=25)
        video.width, video.height, video.pix_fmt = width, height, "rgb24"
        video.codec_context.sample_aspect_ratio = aspect
        tracks = [container.add_stream("pcm_s16le", rate=RATE_HZ, layout=_layout(sound)) for sound in sounds]
        for index, track in enumerate(tracks):
            track.disposition = 1 if index == default else 0
            track.metadata["language"] = language
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for track, sound in zip(tracks, sounds, strict=True):
            write_sound(container, track, sound)


def write_sound(container, track, sound: np.ndarray, starts_s: float = 0.0) -> None:
    """Write sound to a track of a container, from a time on."""
    samples = np.ascontiguousarray(np.atleast_2d(sound).T).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(samples, "s16", _layout(sound))
    frame.rate, frame.pts, frame.time_base = RATE_HZ, round(starts_s * RATE_HZ), Fraction(1, RATE_HZ)
    container.mux(track.encode(frame))


def turn(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Write a display matrix into the header of the first track."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + MATRIX_OFFSET
    fixed = [round(value * 65536) for value in (a, b, 0, c, d, 0, 0, 0)]
    content[at : at + 36] = struct.pack(">9i", *fixed, 1 << 30)
    path.write_bytes(content)


def skip_start(path: Path, *ticks: int) -> None:
    """Write into each track's edit list how much of its beginning is not shown, in ticks of its clock."""
    content = bytearray(path.read_bytes())
    at = 0
    for skipped in ticks:
        at = content.index(b"elst", at) + EDIT_OFFSET
        assert content[at - 4 : at] == b"\0\0\0\1"  # one edit: how long, from when, how fast
        content[at + 4 : at + 8] = struct.pack(">i", skipped)
    path.write_bytes(content)


def _layout(sound: np.ndarray) -> str:
    return "stereo" if sound.ndim == 2 else "mono"
