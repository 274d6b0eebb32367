"""benchmarks/sweep.py; a real sweep runs in test_main.py"""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import sweep as sweep_module
from benchmarks.perf_analyzer import Load, Measurement
from benchmarks.sweep import Point, Steadiness, steadiness, sweep, to_rows


def point(strategy, callers, frames_per_s, p50_ms=50.0):
    return Point(strategy, Measurement(callers, frames_per_s, p50_ms, 2 * p50_ms, 3 * p50_ms, 1.0, p50_ms))


def test_rows():
    """A row says strategy and callers, rate, percentiles, and what is waited apart from compute."""
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


async def test_a_slow_pass_counts_once(monkeypatch):
    """Each concurrency gives its median pass, whatever a slow minute did to one of them."""
    asked = []

    @contextlib.asynccontextmanager
    async def triton(repository, strategy):
        yield SimpleNamespace(grpc_url=strategy)

    def perf_analyzer(url, load):
        asked.append(load.concurrency)
        return point(url, load.concurrency, 5.0 if len(asked) in (1, 4) else 20.0 + len(asked)).measured

    monkeypatch.setattr(sweep_module, "running_triton", triton)
    monkeypatch.setattr(sweep_module, "run_perf_analyzer", perf_analyzer)
    load = Load("demo", 1, 1.0, 5)
    points = [found async for found in sweep(Path(), "demo", ["latency"], load, (1, 8), passes=3)]
    assert asked == [1, 8, 1, 8, 1, 8]
    assert [found.measured.frames_per_s for found in points] == [23.0, 22.0]
