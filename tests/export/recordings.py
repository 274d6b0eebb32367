"""Recordings as people have them: pictures at any times, with sound."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

ASTRONAUT = "data/astronaut.png"


def write_recording(
    path: Path,
    pictures: Sequence[np.ndarray],
    times_s: Sequence[float],
    sound: np.ndarray | None = None,
    rate_hz: int = 48_000,
    sound_starts_s: float = 0.0,
) -> None:
    """Write a lossless ``.mkv`` whose pictures are shown at ``times_s``, with stereo sound of int16 samples."""
    av = pytest.importorskip("av")
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=1000)  # its time stamps count milliseconds
        video.width, video.height, video.pix_fmt = width, height, "bgr0"
        audio = (
            container.add_stream("pcm_s16le", rate=rate_hz, layout="stereo") if sound is not None else None
        )
        for picture, time_s in zip(pictures, times_s, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, "bgr24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(np.repeat(sound, 2)[None], "s16", "stereo")
            frame.rate, frame.pts, frame.time_base = (
                rate_hz,
                round(sound_starts_s * rate_hz),
                Fraction(1, rate_hz),
            )
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


def beeps(length_s: float, rate_hz: int = 48_000) -> np.ndarray:
    """Return a sound of 50 ms of 440 Hz at the start of each half second, as int16."""
    time_s = np.arange(round(length_s * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * 440 * time_s) * (time_s % 0.5 < 0.05)).astype(np.int16)


def grey_pictures(count: int, width: int = 128, height: int = 96) -> list[np.ndarray]:
    """Return even pictures; the level of picture i is i."""
    return [np.full((height, width, 3), index, np.uint8) for index in range(count)]


def astronaut() -> np.ndarray:
    """Return the public-domain portrait that scikit-image's wheel carries: NASA's of Eileen Collins, 512x512 BGR."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        pytest.skip("scikit-image is not installed")
    picture = cv2.imread(str(Path(spec.origin).parent / ASTRONAUT))
    assert picture is not None
    return picture
