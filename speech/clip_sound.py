"""A clip's sound frame by frame, as avatars keep it, and whole again, as it is played."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ

__all__ = ["cut_into_frames", "join_frames", "samples_per_frame"]


def samples_per_frame(fps: float) -> int:
    """Return how many samples are kept for each frame: 640 at 25 frames a second, and never a part of one too few."""
    return math.ceil(SAMPLE_RATE_HZ / fps)


def cut_into_frames(sound: NDArray[np.int16], frame_count: int, fps: float) -> NDArray[np.int16]:
    """Return (N, samples_per_frame) int16: what sounds while each frame is shown, and silence past the sound's end.

    Each row begins when its frame is shown. Where the rate does not divide 16,000 a row is up to a sample longer than
    its frame, and its last sample is the first of the next row, too.
    """
    starts = _starts(frame_count, fps)[:-1]
    indices = starts[:, None] + np.arange(samples_per_frame(fps))
    needed = int(indices[-1, -1]) + 1
    cut: NDArray[np.int16] = np.pad(sound[:needed], (0, max(0, needed - sound.size)))[indices]
    return cut


def join_frames(rows: NDArray[np.int16], fps: float) -> NDArray[np.int16]:
    """Return the sound that ``cut_into_frames`` cut, as long as its frames: (S,) int16, S = N · 16,000 / fps."""
    lengths = np.diff(_starts(len(rows), fps))
    if (lengths == rows.shape[1]).all():
        return rows.reshape(-1)
    return rows[np.arange(rows.shape[1]) < lengths[:, None]]


def _starts(frame_count: int, fps: float) -> NDArray[np.int64]:
    """Return the sample at which each frame begins, and the one at which the last ends."""
    starts: NDArray[np.int64] = np.rint(np.arange(frame_count + 1) * (SAMPLE_RATE_HZ / fps)).astype(np.int64)
    return starts
