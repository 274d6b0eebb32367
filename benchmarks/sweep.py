"""Strategy by concurrency, measured with perf_analyzer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.perf_analyzer import Load, Measurement, run_perf_analyzer
from benchmarks.statistics import median_by
from benchmarks.table import Row
from benchmarks.triton import running_triton

__all__ = ["CONCURRENCIES", "Point", "Steadiness", "steadiness", "sweep", "to_rows"]

CONCURRENCIES = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Point:
    """One strategy at one concurrency."""

    strategy: str
    measured: Measurement


@dataclass(frozen=True)
class Steadiness:
    """Whether a strategy collapses under load.

    Attributes:
        strategy: Its name.
        best_frames_per_s: At its best concurrency.
        share_at_8: Frames per second with 8 callers, as a share of the best.
    """

    strategy: str
    best_frames_per_s: float
    share_at_8: float


async def sweep(
    model_repository: Path,
    model_name: str,
    strategies: Sequence[str],
    load: Load,
    concurrencies: Sequence[int],
    passes: int,
) -> AsyncIterator[Point]:
    """Start Triton once per strategy and measure every concurrency; ``load`` gives window and frame count.

    All concurrencies are measured once a pass, and each gives its median pass: a slow minute of the machine
    does not count as a property of one concurrency.

    Raises:
        NotAvailable: If perf_analyzer is not there.
        LoadFailed: If a measurement fails.
    """
    for strategy in strategies:
        async with running_triton(model_repository, strategy) as triton:
            loads = [
                Load(model_name, concurrency, load.window_s, load.frame_count)
                for concurrency in concurrencies
            ]
            found = [
                [await asyncio.to_thread(run_perf_analyzer, triton.grpc_url, now) for now in loads]
                for _ in range(passes)
            ]
        for measured in zip(*found, strict=True):
            yield Point(strategy, median_by(measured, lambda one: one.frames_per_s))


def to_rows(points: Sequence[Point]) -> list[Row]:
    """Return table rows, one a point."""
    return [{"strategy": point.strategy, **_renamed(asdict(point.measured))} for point in points]


def steadiness(points: Sequence[Point]) -> list[Steadiness]:
    """Compare, for each strategy that was measured at 8, that with its best concurrency."""
    found = []
    for strategy in dict.fromkeys(point.strategy for point in points):
        rates = {
            point.measured.concurrency: point.measured.frames_per_s
            for point in points
            if point.strategy == strategy
        }
        if 8 in rates:
            best = max(rates.values())
            found.append(Steadiness(strategy, best, rates[8] / best))
    return found


def _renamed(measured: dict[str, float]) -> dict[str, float]:
    return {
        "callers" if key == "concurrency" else key.replace("_per_s", "/s"): value
        for key, value in measured.items()
    }
