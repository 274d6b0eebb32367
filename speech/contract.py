"""The numbers of speech that every part agrees on: rates, and the window of feature vectors that belongs to a frame."""

from __future__ import annotations

import math

__all__ = [
    "AUDIO_SHAPES",
    "AUDIO_WINDOW",
    "EDGE_PADDINGS",
    "FEATURE_SIZE",
    "FPS",
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE_HZ",
    "VECTOR_SHAPES",
    "vector_size",
    "window_shape",
]

SAMPLE_RATE_HZ = 16_000
FPS = 25.0
"""Feature vectors of the AVE audio encoder per second, and frames per second of the clips it was made for."""

SAMPLES_PER_FRAME = 640
"""Samples that sound while one frame is shown at 25 frames per second: 40 ms."""

FEATURE_SIZE = 512
"""Length of one vector of the AVE audio encoder."""

AUDIO_WINDOW = 16
"""Feature vectors around a frame: 8 before it, 8 from it on."""

VECTOR_SHAPES = {"ave": (2, 16, 16), "hubert": (2, 32, 32), "wenet": (16, 16, 32)}
"""Channels, height, width that one vector of a kind of speech features fills of its window."""


def window_shape(audio_mode: str, window: int) -> tuple[int, int, int]:
    """Return channels, height and width of a window of so many vectors, of a kind of speech features."""
    channels, height, width = VECTOR_SHAPES[audio_mode]
    return window * channels, height, width


def vector_size(audio_mode: str) -> int:
    """Return how many numbers one vector of a kind of speech features has: 512, 2048 or 8192."""
    return math.prod(VECTOR_SHAPES[audio_mode])


AUDIO_SHAPES = {mode: window_shape(mode, AUDIO_WINDOW) for mode in VECTOR_SHAPES}
"""Channels, height, width of one window of 16 vectors, per kind of speech features."""

EDGE_PADDINGS = ("zeros", "repeat")
"""What stands in for features past either end of the clip: see ``speech.windows``."""
