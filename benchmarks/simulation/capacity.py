"""The most of a load that a layout carries, found by simulating less and more of it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.simulation.outcome import Outcome

__all__ = ["most_carried"]

FINE = 32
"""The answer is as fine as one part in so many of it."""


def most_carried(try_out: Callable[[int], Outcome], estimate: int) -> tuple[int, Outcome]:
    """Return the greatest count that is carried, and its outcome.

    Where one count is carried, all smaller ones are taken to be.

    Args:
        try_out: Simulates a count, at least 1.
        estimate: Where to begin.

    Returns:
        0 and the outcome of 1, where not even that is carried.
    """
    count = max(1, estimate)
    outcome = try_out(count)
    if outcome.is_carried:
        good, best, bad = count, outcome, 0
        while not bad:
            count = max(good + 1, good * 5 // 4)
            outcome = try_out(count)
            good, best, bad = (count, outcome, 0) if outcome.is_carried else (good, best, count)
    else:
        good, best, bad = 0, outcome, count
        while not good and bad > 1:
            count = max(1, bad * 4 // 5)
            outcome = try_out(count)
            good, bad = (count, bad) if outcome.is_carried else (0, count)
            best = outcome
    while good and bad - good > max(1, good // FINE):
        count = (good + bad) // 2
        outcome = try_out(count)
        good, best, bad = (count, outcome, bad) if outcome.is_carried else (good, best, count)
    return good, best
