"""How long to train, and how much of it each stage gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Budget", "stage_at"]


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


def stage_at(spent: float, shares: Sequence[float]) -> tuple[int, float]:
    """Return which stage is on after a share of the budget, and the progress within it, 0.0 to 1.0.

    Args:
        spent: 0.0 to 1.0.
        shares: Of the budget, by stage; together 1.0.
    """
    begin = 0.0
    for index, share in enumerate(shares[:-1]):
        if spent < begin + share:
            return index, (spent - begin) / share
        begin += share
    return len(shares) - 1, min(1.0, (spent - begin) / shares[-1])
