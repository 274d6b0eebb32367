"""The numbers every part agrees on about pictures: their geometry, the mouth mask, batches. No torch here."""

from __future__ import annotations

__all__ = [
    "BORDER",
    "CROP_SIZE",
    "FACE_SIZE",
    "MASK_COLUMNS",
    "MASK_ROWS",
    "MAX_BATCH_SIZE",
    "PRECISIONS",
]

CROP_SIZE = 328
FACE_SIZE = 320
BORDER = (CROP_SIZE - FACE_SIZE) // 2

# The rectangle x=5, y=5, w=310, h=305 of the face that the network has to paint; half-open ranges.
MASK_ROWS = (5, 310)
MASK_COLUMNS = (5, 315)

MAX_BATCH_SIZE = 16
PRECISIONS = ("fp32", "fp16")
