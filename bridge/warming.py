"""When an upstream that came back is given copies of what others are asked, so that its caches fill and nobody waits.

A Triton that has just started computes what the others remember. While it is taken for slow it gets few calls, so it
would stay cold until the others go, and all their viewers would wait. Copies go one at a time, while it is idle, until
it answers them about as quickly as the others do. Where nobody caches anything, that is at once.
"""

from __future__ import annotations

__all__ = ["Warming"]

WARM_COPIES = 24
"""So many quick answers in a row, and it is warm."""

MOST_COPIES = 2000
"""Of a clip that is too long for its cache it never becomes warm."""

COLD_FACTOR = 4.0
LEAST_COLD_S = 0.01
"""An answer is slow from here on, and beyond so many times what calls of its kind usually take."""


class Warming:
    """The state of one upstream."""

    def __init__(self) -> None:
        self._copies = MOST_COPIES
        self._quick = WARM_COPIES

    @property
    def is_due(self) -> bool:
        """Whether it is to have a copy."""
        return self._quick < WARM_COPIES and self._copies < MOST_COPIES

    def begin(self) -> None:
        """It has come back, and may be cold."""
        self._copies = self._quick = 0

    def note(self, duration_s: float, usual_s: float) -> None:
        """Note what a copy took, and what such calls usually take."""
        if not self.is_due:
            return
        is_quick = duration_s <= max(LEAST_COLD_S, COLD_FACTOR * usual_s)
        self._quick = self._quick + 1 if is_quick else 0
        self._copies += 1
