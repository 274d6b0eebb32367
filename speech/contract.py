"""The numbers of speech that every part agrees on: rates, and the window of feature vectors that belongs to a frame."""

from __future__ import annotations

__all__ = [
    "AUDIO_SHAPES",
    "AUDIO_WINDOW",
    "EDGE_PADDINGS",
    "FEATURE_SIZE",
    "FPS",
    "SAMPLES_PER_FRAME",
    "SAMPLE_RATE_HZ",
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

AUDIO_SHAPES = {"ave": (32, 16, 16), "hubert": (32, 32, 32), "wenet": (256, 16, 32)}
"""Channels, height, width of one window, per kind of speech features."""

EDGE_PADDINGS = ("zeros", "repeat")
"""What stands in for features past either end of the clip: see ``speech.windows``."""
