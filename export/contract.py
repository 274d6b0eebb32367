"""The numbers every part agrees on: picture geometry, the mouth mask, audio windows. No torch here."""

from __future__ import annotations

__all__ = [
    "AUDIO_SHAPES",
    "AUDIO_WINDOW",
    "BORDER",
    "CROP_SIZE",
    "EDGE_PADDINGS",
    "FACE_SIZE",
    "FPS",
    "MASK_COLUMNS",
    "MASK_ROWS",
    "MAX_BATCH_SIZE",
    "PRECISIONS",
]

FPS = 25.0
CROP_SIZE = 328
FACE_SIZE = 320
BORDER = (CROP_SIZE - FACE_SIZE) // 2

# The rectangle x=5, y=5, w=310, h=305 of the face that the network has to paint; half-open ranges.
MASK_ROWS = (5, 310)
MASK_COLUMNS = (5, 315)

AUDIO_WINDOW = 16
"""Feature vectors around a frame: 8 before it, 8 from it on."""

AUDIO_SHAPES = {"ave": (32, 16, 16), "hubert": (32, 32, 32), "wenet": (256, 16, 32)}
"""Channels, height, width of one window, per kind of speech features."""

EDGE_PADDINGS = ("zeros", "repeat")
"""What stands in for features past either end of the clip: see ``frame_lookup``."""

MAX_BATCH_SIZE = 16
PRECISIONS = ("fp32", "fp16")
