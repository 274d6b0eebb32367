"""The engine alone: frames per second by batch size, with and without PCIe, with and without a CUDA graph."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from benchmarks.gpu.engines import Runner, open_engine
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.frames import clip_frames, repeated
from benchmarks.gpu.settings import Settings
from benchmarks.statistics import Latencies, timed_round

__all__ = ["MODES", "measure", "time_calls"]

OVER_PCIE, ON_DEVICE = "over PCIe", "on the device"
MODES = (OVER_PCIE, ON_DEVICE)
WARM_UP = 3
"""Runs before any is counted: the first loads kernels, CUDA graphs are recorded by the second."""


def measure(
    settings: Settings, findings: Findings, library: str, precision: str, bound: float | None
) -> None:
    """Measure each batch size until the time is over, the most important first.

    Args:
        settings: Of the run.
        findings: Takes a row per measurement.
        library: Which runs it.
        precision: In which.
        bound: Frames per second that the card allows at most, where that is known.

    Raises:
        BenchmarkError: If the library cannot run here.
        ExportError: If TensorRT cannot build the network.
    """
    frames = clip_frames(settings, settings.frames)
    engine = open_engine(settings, findings, library, settings.avatar, precision)
    for batch_size in settings.batch_sizes:
        feed = repeated(frames, batch_size)
        for graph in (False, True) if engine.has_graphs else (False,):
            if findings.left_s < 2 * len(MODES) * settings.window_s:
                findings.note(
                    "engine", f"{library}, {precision}: no time was left from batches of {batch_size} on."
                )
                return
            try:
                runner = engine.runner(batch_size, graph)
                calls = {OVER_PCIE: _bound(runner, feed), ON_DEVICE: runner.compute}
                measured = {mode: time_calls(call, settings.window_s) for mode, call in calls.items()}
            except Exception as exc:  # of one batch size, such as no memory left: the others may do
                text = " ".join(str(exc).split())
                findings.note("engine", f"{library}, {precision}, batch {batch_size}, graph {graph}: {text}")
                continue
            for mode, latencies_ms in measured.items():
                _tell(findings, library, precision, batch_size, mode, graph, latencies_ms, bound)


def time_calls(call: Callable[[], object], duration_s: float) -> list[float]:
    """Return how long each call took, in milliseconds, one after another for a while, the first few left out."""
    timed_round(call, WARM_UP)
    latencies_ms: list[float] = []
    end_s = time.perf_counter() + duration_s
    while not latencies_ms or time.perf_counter() < end_s:
        latencies_ms += timed_round(call, 1).latencies_ms
    return latencies_ms


def _bound(runner: Runner, feed: dict[str, NDArray[Any]]) -> Callable[[], object]:
    return lambda: runner.run(feed)


def _tell(
    findings: Findings,
    library: str,
    precision: str,
    batch_size: int,
    mode: str,
    graph: bool,
    latencies_ms: list[float],
    bound: float | None,
) -> None:
    percentiles = Latencies.of(latencies_ms)
    rate = batch_size * 1000 * len(latencies_ms) / sum(latencies_ms)
    findings.row(
        "engine",
        library=library,
        precision=precision,
        batch=batch_size,
        data=mode,
        graph="yes" if graph else "no",
        **{"frames/s": rate, "p50_ms": percentiles.p50_ms, "p95_ms": percentiles.p95_ms},
        **{"p99_ms": percentiles.p99_ms, "of the bound": rate / bound if bound else ""},
    )
