"""How a run's minutes are divided: what matters most comes first, nothing takes more than its share. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["RESERVE_S", "Budget", "Step"]

RESERVE_S = 5.0
"""Kept back at the end, so that a step that had to be killed does not carry the run over its time."""

LEAST_OF_SHARE = 0.25
"""A step that has less than this part of its share left is not begun."""


@dataclass(frozen=True)
class Step:
    """One measurement, in a process of its own.

    Attributes:
        name: As the report calls it; unique in a run.
        module: Whose ``measure`` makes it.
        share: The most it may take of all minutes, 0.0 to 1.0.
        arguments: Of that function.
    """

    name: str
    module: str
    share: float
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Budget:
    """The time of one run.

    Args:
        total_s: For all steps together.
        clock: Seconds, never backwards.
    """

    def __init__(self, total_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.total_s = total_s
        self._clock = clock
        self._start_s = clock()

    @property
    def used_s(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start_s

    @property
    def left_s(self) -> float:
        """Seconds that steps may still take."""
        return self.total_s - min(RESERVE_S, 0.1 * self.total_s) - self.used_s

    def limit_s(self, step: Step) -> float | None:
        """Return how many seconds a step may take from now; None where too few are left to begin it."""
        share_s = step.share * self.total_s
        return min(share_s, self.left_s) if self.left_s >= LEAST_OF_SHARE * share_s else None
