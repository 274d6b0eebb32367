"""How long to train, and how fast to learn when."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Budget", "one_cycle"]

RISE = 0.1
START, END = 0.1, 0.01


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may spend; exactly one of the two is given.

    Attributes:
        steps: Number of steps.
        minutes: Minutes of training, interruptions not counted.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        assert (self.steps is None) != (self.minutes is None)

    def spent(self, step: int, elapsed_s: float) -> float:
        """Return the share spent after ``step`` steps in ``elapsed_s`` seconds: 0.0 to 1.0."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.minutes is not None
        return min(1.0, elapsed_s / (60 * self.minutes))


def one_cycle(progress: float) -> float:
    """Return the factor of the learning rate: up from 0.1 in the first tenth, then along a cosine to 0.01."""
    if progress < RISE:
        return START + (1 - START) * progress / RISE
    cosine = math.cos(math.pi * (progress - RISE) / (1 - RISE))
    return END + (1 - END) * (1 + cosine) / 2
