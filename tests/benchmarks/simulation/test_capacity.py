"""benchmarks/simulation/capacity.py"""

import pytest

from benchmarks.simulation.capacity import FINE, most_carried
from benchmarks.simulation.outcome import Outcome


def limited(most):
    """Return a simulation that carries so many."""

    def try_out(count):
        outcome = Outcome(1.0, 1)
        outcome.note("ok" if count <= most else "late", 0.0)
        return outcome

    return try_out


@pytest.mark.parametrize("estimate", [1, 10, 40])
@pytest.mark.parametrize("most", [1, 2, 7, 31])
def test_found_to_one(most, estimate):
    """Small numbers are found exactly, wherever the search begins."""
    found, outcome = most_carried(limited(most), estimate)
    assert (found, outcome.is_carried) == (most, True)


def test_found_nearly():
    """Of large ones a part in 32 is left open."""
    found, _ = most_carried(limited(1000), 300)
    assert 1000 * (1 - 1 / FINE) <= found <= 1000


def test_none():
    """Where one is too many, 0 are carried."""
    found, outcome = most_carried(limited(0), 5)
    assert (found, outcome.is_carried) == (0, False)
