"""How instances of the network share the card: frames per second, and the memory of each."""

from __future__ import annotations

import asyncio
from functools import partial

from benchmarks.errors import NotAvailable
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.memory import used_mebibytes
from benchmarks.gpu.repository import write_repository
from benchmarks.gpu.served import Generator, crew_size, to_cells, warm_up
from benchmarks.gpu.settings import Settings
from benchmarks.memory import triton_bytes
from benchmarks.table import Row
from benchmarks.triton import running_triton

__all__ = ["measure"]

STRATEGY = "hybrid"
MEBIBYTE = 1 << 20
LEAST_S = 10.0


def measure(settings: Settings, findings: Findings, backend: str) -> None:
    """Measure more and more instances until the time is over, each number with a Triton of its own.

    Raises:
        BenchmarkError: If a request fails.
        EmbeddedError: If Triton does not start.
    """
    with Crew(crew_size()) as crew:
        generator = Generator(crew, settings, partial(findings.note, "instances"))
        for count in settings.instances:
            if findings.left_s < LEAST_S * settings.window_s:
                findings.note("instances", f"No time was left for {count}.")
                return
            asyncio.run(_measure_one(settings, findings, backend, count, generator))


async def _measure_one(
    settings: Settings, findings: Findings, backend: str, count: int, generator: Generator
) -> None:
    repository = write_repository(settings, findings, backend, count)
    before = _on_card(settings)
    async with running_triton(repository, STRATEGY) as triton:
        await asyncio.to_thread(warm_up, generator.crew, triton.grpc_url, settings)
        found = await asyncio.to_thread(generator.measure, triton.grpc_url, settings.busy)
        after, host = _on_card(settings), triton_bytes(triton.grpc_port) / MEBIBYTE
    held = None if before is None or after is None else after - before
    cells: Row = {"backend": backend, "instances": count, "callers": settings.busy, **to_cells(found)}
    said: Row = {**_memory(held, count), "host, MiB": host, "card under load": generator.card}
    findings.row("instances", **cells, **said)


def _memory(held: int | None, count: int) -> Row:
    if held is None:
        return {"card, MiB": "", "card an instance, MiB": ""}
    return {"card, MiB": held, "card an instance, MiB": held / count}


def _on_card(settings: Settings) -> int | None:
    try:
        return used_mebibytes() if settings.has_card else None
    except NotAvailable:  # the frames are counted all the same
        return None
