"""Medians, percentiles and ratios of runs that took turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

__all__ = ["Latencies", "Round", "median_by", "median_ratio", "percentile", "take_turns", "timed_round"]

SEED = 7
T = TypeVar("T")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` (0.0 to 1.0) of the values do not exceed, interpolated linearly.

    Raises:
        ValueError: If there are no values.
    """
    if not values:
        raise ValueError("expected at least one value, got none")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True)
class Latencies:
    """Percentiles of latencies, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, latencies_ms: Sequence[float]) -> Latencies:
        """Summarise at least one latency, in milliseconds."""
        return cls(*(percentile(latencies_ms, share) for share in (0.50, 0.95, 0.99)))


@dataclass(frozen=True)
class Round:
    """What one side did in one turn.

    Attributes:
        frames_per_s: Frames divided by the time they took.
        latencies_ms: Of each frame, in milliseconds.
    """

    frames_per_s: float
    latencies_ms: tuple[float, ...]


def take_turns(sides: Mapping[str, Callable[[], Round]], rounds: int) -> dict[str, list[Round]]:
    """Run every side once a round, each round in another order, so that a slow minute slows all of them."""
    done: dict[str, list[Round]] = {name: [] for name in sides}
    random = Random(SEED)
    for _ in range(rounds):
        order = list(sides)
        random.shuffle(order)
        for name in order:
            done[name].append(sides[name]())
    return done


def median_by(values: Sequence[T], key: Callable[[T], float]) -> T:
    """Return the one of the values, at least one, whose ``key`` is in the middle: the upper of two."""
    return sorted(values, key=key)[len(values) // 2]


def median_ratio(numerator: Sequence[Round], denominator: Sequence[Round]) -> float:
    """Return the median, over the rounds, of one side's frames per second by another's in the same round."""
    pairs = zip(numerator, denominator, strict=True)
    return statistics.median(one.frames_per_s / other.frames_per_s for one, other in pairs)


def timed_round(call: Callable[[], object], count: int) -> Round:
    """Call ``count`` times, one after another."""
    latencies_ms = []
    start_s = time.perf_counter()
    for _ in range(count):
        before_s = time.perf_counter()
        call()
        latencies_ms.append((time.perf_counter() - before_s) * 1000)
    return Round(count / (time.perf_counter() - start_s), tuple(latencies_ms))
