"""Which frame of a clip each picture of a session is made of: forth and back, so that it never jumps."""

from __future__ import annotations

__all__ = ["frame_at"]


def frame_at(number: int, frame_count: int) -> int:
    """Return the frame of picture ``number`` in a clip of N frames: 0, 1, … N-2, N-1, N-2, … 1, 0, 1 and so on."""
    if frame_count == 1:
        return 0
    place = number % (2 * (frame_count - 1))
    return min(place, 2 * (frame_count - 1) - place)
