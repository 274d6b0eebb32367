"""benchmarks/sweep.py; a real sweep runs in test_main.py"""

import pytest

from benchmarks.perf_analyzer import Measurement
from benchmarks.sweep import Point, Steadiness, steadiness, to_rows


def point(strategy, callers, frames_per_s, p50_ms=50.0):
    return Point(strategy, Measurement(callers, frames_per_s, p50_ms, 2 * p50_ms, 3 * p50_ms, 1.0, p50_ms))


def test_rows():
    """A row says strategy and callers, rate, percentiles, and queue apart from compute."""
    (row,) = to_rows([point("latency", 8, 20.0)])
    assert list(row) == [
        "strategy",
        "callers",
        "frames/s",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "waiting_ms",
        "compute_ms",
    ]
    assert (row["strategy"], row["callers"], row["frames/s"], row["p95_ms"]) == ("latency", 8, 20.0, 100.0)


def test_steadiness():
    """Eight callers are compared with the best concurrency of the same strategy; without them there is nothing."""
    points = [point("a", 1, 10.0), point("a", 2, 20.0), point("a", 8, 19.0), point("b", 1, 5.0)]
    assert steadiness(points) == [Steadiness("a", 20.0, pytest.approx(0.95))]
