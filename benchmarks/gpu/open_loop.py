"""End to end at a fixed rate: whoever watches a clip asks when a frame is due, not when the one before has come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.gpu.crew import Crew
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.load import Paced, ask_at_rate
from benchmarks.gpu.repository import write_repository
from benchmarks.gpu.served import crew_size, to_cells, warm_up
from benchmarks.gpu.settings import Settings
from benchmarks.site import FRAMES
from benchmarks.triton import running_triton

__all__ = ["measure"]

WINDOWS = 3
"""Of the run's windows, to have frames enough for a 99th percentile."""


def measure(settings: Settings, findings: Findings, backend: str, strategy: str) -> None:
    """Ask for frames at the run's rate, and half and twice that.

    Raises:
        BenchmarkError: If a request fails.
        EmbeddedError: If Triton does not start.
    """
    repository = write_repository(settings, findings, backend)
    with Crew(crew_size()) as crew:
        asyncio.run(
            _measure(settings, findings, repository, {"backend": backend, "strategy": strategy}, crew)
        )


async def _measure(
    settings: Settings, findings: Findings, repository: Path, what: dict[str, str], crew: Crew
) -> None:
    async with running_triton(repository, what["strategy"]) as triton:
        await asyncio.to_thread(warm_up, crew, triton.grpc_url, settings)
        for share in (1.0, 0.5, 2.0):
            if findings.left_s < 2 * WINDOWS * settings.window_s:
                findings.note("open", f"No time was left for {share * settings.rate:g} frames/s.")
                return
            arguments = (settings.avatar, share * settings.rate, WINDOWS * settings.window_s, FRAMES)
            found: Paced = await asyncio.to_thread(ask_at_rate, crew, triton.grpc_url, *arguments)
            findings.row(
                "open",
                **what,
                **{"asked, frames/s": share * settings.rate},
                **to_cells(found),
                **{"generator behind, p99_ms": found.behind.p99_ms},
            )
