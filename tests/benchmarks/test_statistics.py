"""benchmarks/statistics.py"""

import numpy as np
import pytest

from benchmarks.statistics import Latencies, Round, median_ratio, percentile, take_turns, timed_round


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.95, 0.99, 1.0])
def test_percentile_is_numpys(share):
    """Percentiles interpolate linearly, as numpy's do."""
    values = [5.0, 1.0, 9.5, 2.0, 2.0, 7.25, 3.0]
    assert percentile(values, share) == pytest.approx(np.quantile(values, share))


def test_percentile_of_one():
    """One value is each of its percentiles."""
    assert Latencies.of([4.0]) == Latencies(4.0, 4.0, 4.0)


def test_percentile_of_nothing():
    """Of no values there is none."""
    with pytest.raises(ValueError, match=r"^expected at least one value, got none$"):
        percentile([], 0.5)


def test_ratio_is_of_the_same_round():
    """A minute in which the machine is slow for both sides does not change their ratio."""
    ours = [Round(20.0, ()), Round(2.0, ()), Round(30.0, ())]
    theirs = [Round(10.0, ()), Round(1.0, ()), Round(10.0, ())]
    assert median_ratio(ours, theirs) == 2.0


def test_sides_take_turns():
    """Every side runs once in every round, and not always in the same order."""
    order = []

    def side(name):
        def run():
            order.append(name)
            return Round(1.0, ())

        return run

    done = take_turns({name: side(name) for name in "abc"}, rounds=8)
    rounds = [tuple(order[index : index + 3]) for index in range(0, 24, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 1
    assert {name: len(rounds) for name, rounds in done.items()} == {"a": 8, "b": 8, "c": 8}


def test_timed_round():
    """Every call is timed, and the rate is calls by the whole time."""
    calls = []
    done = timed_round(lambda: calls.append(1), 5)
    assert len(calls) == len(done.latencies_ms) == 5
    assert done.frames_per_s > 0
    assert sum(done.latencies_ms) <= 5000 / done.frames_per_s
