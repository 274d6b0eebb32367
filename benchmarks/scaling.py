"""How cost grows: with instances, with avatars that are asked at the same time, and with the network's width."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.memory import triton_bytes
from benchmarks.perf_analyzer import Load, Measurement, run_perf_analyzer
from benchmarks.site import FRAMES, Site
from benchmarks.table import Row
from benchmarks.triton import running_triton
from export.repository.avatar import read_avatar
from export.repository.configs import ServingOptions
from export.repository.entries import write_entries

__all__ = ["INSTANCES", "measure_scaling"]

INSTANCES = (1, 2, 4)
CALLERS = 8
MEBIBYTE = 1 << 20


async def measure_scaling(site: Site, avatars: Sequence[str], window_s: float) -> list[Row]:
    """Return a row per case: frames per second at 8 callers, and the memory of all of Triton's processes.

    Raises:
        NotAvailable: If perf_analyzer is not there.
        LoadFailed: If a measurement fails.
    """
    rows = []
    for instances in INSTANCES:
        with _repository(site, avatars[:1], instances) as repository:
            rows.append(
                await _one(repository, avatars[:1], "multi_instance", window_s, f"{instances} instances")
            )
    for count in range(1, len(avatars) + 1):
        with _repository(site, avatars[:count], 1) as repository:
            rows.append(
                await _one(repository, avatars[:count], "latency", window_s, f"{count} avatars asked at once")
            )
    for avatar in avatars:
        with _repository(site, [avatar], 1) as repository:
            rows.append(await _one(repository, [avatar], "latency", window_s, f"network of '{avatar}' alone"))
    return rows


@contextmanager
def _repository(site: Site, avatars: Sequence[str], instances: int) -> Iterator[Path]:
    """Write a temporary model repository of some avatars, with ``instances`` instances of each network."""
    folder = Path(tempfile.mkdtemp(prefix="scaling-", dir=site.avatars.parent))
    try:
        for avatar in avatars:
            assert read_avatar(site.avatars / avatar).name == avatar
            write_entries(site.avatars / avatar, folder / "models", ServingOptions(instances=instances))
        yield folder / "models"
    finally:
        shutil.rmtree(folder)


async def _one(repository: Path, avatars: Sequence[str], strategy: str, window_s: float, case: str) -> Row:
    async with running_triton(repository, strategy) as triton:
        callers = max(1, CALLERS // len(avatars))
        loads = [Load(avatar, callers, window_s, FRAMES) for avatar in avatars]
        found = await asyncio.gather(
            *(asyncio.to_thread(run_perf_analyzer, triton.grpc_url, load) for load in loads)
        )
        memory = triton_bytes(triton.grpc_port) / MEBIBYTE
    return {
        "case": case,
        "strategy": strategy,
        "callers": callers * len(avatars),
        **_sums(found),
        "memory_mib": memory,
    }


def _sums(found: Sequence[Measurement]) -> dict[str, float]:
    """Return the rates added up, and the worst percentiles."""
    return {
        "frames/s": sum(one.frames_per_s for one in found),
        "p50_ms": max(one.p50_ms for one in found),
        "p95_ms": max(one.p95_ms for one in found),
        "p99_ms": max(one.p99_ms for one in found),
    }
