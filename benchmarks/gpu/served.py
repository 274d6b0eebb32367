"""End to end: frame lookup, network and JPEG through Triton, by strategy and callers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.errors import LoadFailed, NotAvailable
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.load import Answers, ask_without_pause
from benchmarks.gpu.memory import LOAD_FIELDS, describe_card
from benchmarks.gpu.repository import write_repository
from benchmarks.gpu.settings import Settings
from benchmarks.perf_analyzer import Load, run_perf_analyzer, why_it_cannot_run
from benchmarks.site import FRAMES
from benchmarks.statistics import Latencies
from benchmarks.table import Row
from benchmarks.triton import running_triton

__all__ = ["OURS", "PERF_ANALYZER", "Generator", "crew_size", "measure", "to_cells", "warm_up"]

PERF_ANALYZER, OURS = "perf_analyzer", "ours"
LEAST_WINDOWS = 5
"""A measurement is not begun with less time left than that many windows: perf_analyzer takes several."""

CORES_PER_PROCESS = 4
"""The rest is for Triton, its Python backends and the kernel's share of both."""


def measure(
    settings: Settings,
    findings: Findings,
    backend: str,
    strategies: list[str],
    engine: float | None,
    variant: str = "",
) -> None:
    """Measure strategies one after another, each with callers until the time is over.

    Args:
        settings: Of the run.
        findings: Takes a row per measurement.
        backend: Which runs the network.
        strategies: Of ``export.repository.strategies``, the most important first.
        engine: Frames per second of the engine alone, where that was measured.
        variant: Of the path around the network: one of ``repository.VARIANTS``.

    Raises:
        BenchmarkError: If a request fails.
        EmbeddedError: If Triton does not start.
    """
    repository = write_repository(settings, findings, backend, variant=variant)
    with Crew(crew_size()) as crew:
        generator = Generator(crew, settings, partial(findings.note, "served"))
        for strategy in strategies:
            if _is_late(settings, findings):
                findings.note("served", f"{backend}: no time was left for {strategy}.")
                return
            what = {"backend": backend, "strategy": strategy, "variant": variant}
            tell = partial(_tell, findings, what, engine, generator)
            asyncio.run(_measure_one(settings, findings, repository, strategy, generator, tell))


async def _measure_one(
    settings: Settings,
    findings: Findings,
    repository: Path,
    strategy: str,
    generator: Generator,
    tell: Callable[[int, Answers], None],
) -> None:
    async with running_triton(repository, strategy) as triton:
        await asyncio.to_thread(warm_up, generator.crew, triton.grpc_url, settings)
        for callers in settings.callers:
            if _is_late(settings, findings):
                findings.note("served", f"{strategy}: no time was left from {callers} callers on.")
                return
            tell(callers, await asyncio.to_thread(generator.measure, triton.grpc_url, callers))


def _is_late(settings: Settings, findings: Findings) -> bool:
    return findings.left_s < LEAST_WINDOWS * settings.window_s


def _tell(
    findings: Findings, what: Row, engine: float | None, generator: Generator, callers: int, found: Answers
) -> None:
    share = found.frames_per_s / engine if engine else ""
    cells: Row = {**what, "callers": callers, **to_cells(found), "of the engine": share}
    findings.row("served", **cells, **{"card under load": generator.card, "generator": generator.name})


class Generator:
    """The load generator that can run here: perf_analyzer, else our own.

    Args:
        crew: Whose processes make the load where it is ours.
        settings: Of the run.
        note: Takes a sentence on what it does otherwise than was asked.

    Attributes:
        name: Which it is.
        crew: Its processes, where it is ours.
        card: What the card said of itself during the last measurement.
    """

    def __init__(self, crew: Crew, settings: Settings, note: Callable[[str], None]) -> None:
        self.name = OURS if why_it_cannot_run() else PERF_ANALYZER
        self.card = ""
        self.crew, self._settings, self._note = crew, settings, note

    def measure(self, url: str, callers: int) -> Answers:
        """Measure so many callers.

        Raises:
            LoadFailed: If anything but a frame comes.
        """
        with ThreadPoolExecutor(1) as pool:
            sample = pool.submit(self._sample) if self._settings.has_card else None
            found = self._ask(url, callers)
            self.card = sample.result() if sample else ""
        return found

    def _ask(self, url: str, callers: int) -> Answers:
        settings = self._settings
        if self.name == OURS:
            return ask_without_pause(self.crew, url, settings.avatar, callers, settings.window_s, FRAMES)
        load = Load(settings.avatar, callers, settings.window_s / 2, FRAMES)  # it takes three that agree
        try:
            measured = run_perf_analyzer(url, load)
        except LoadFailed as exc:
            self._note(f"Our own generator took over: {exc}")
            self.name = OURS
            return self._ask(url, callers)
        return Answers(measured.frames_per_s, Latencies(measured.p50_ms, measured.p95_ms, measured.p99_ms))

    def _sample(self) -> str:
        """Return what the card says of itself in the midst of a window; empty where it says nothing."""
        time.sleep(self._settings.window_s / 2)
        try:
            return ", ".join(describe_card(LOAD_FIELDS).values())
        except NotAvailable:
            return ""


def to_cells(found: Answers) -> Row:
    """Return a measurement's cells."""
    latencies = found.latencies
    return {
        "frames/s": found.frames_per_s,
        "p50_ms": latencies.p50_ms,
        "p95_ms": latencies.p95_ms,
        "p99_ms": latencies.p99_ms,
    }


def warm_up(crew: Crew, url: str, settings: Settings, callers: Sequence[int] = (1, 2, 4, 8, 16, 64)) -> None:
    """Have the network see batches of many sizes, for each of which a library may look for its kernels first.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    most = max(settings.callers)
    for count in callers:
        if count <= most:
            ask_without_pause(crew, url, settings.avatar, count, settings.window_s / 4, FRAMES)


def crew_size() -> int:
    """Return how many processes make load here."""
    return max(1, len(os.sched_getaffinity(0)) // CORES_PER_PROCESS)
