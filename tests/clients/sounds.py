"""Sounds for tests, written through PyAV as any program would."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["beep", "names", "write_sound"]


def beep(seconds: float, rate: int, start_s: float, end_s: float) -> NDArray[np.float32]:
    """Return silence with a tone of 400 Hz in it, (S,) -0.5 to 0.5."""
    times = np.arange(round(seconds * rate)) / rate
    is_on = (times >= start_s) & (times < end_s)
    return (0.5 * np.sin(2 * np.pi * 400 * times) * is_on).astype(np.float32)


def names(folder: Path) -> list[str]:
    """Return the names of all files in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


def write_sound(
    target: Path | io.BytesIO,
    samples: NDArray[np.float32],
    rate: int,
    codec: str = "pcm_s16le",
    container: str = "wav",
    channels: int = 1,
) -> None:
    """Write a sound file, the same in each of its channels."""
    opened: Any = str(target) if isinstance(target, Path) else target
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
    with av.open(opened, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        planes = np.repeat(samples[None], channels, axis=0)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
