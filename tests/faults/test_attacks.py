"""Clients who wish the bridge ill, beside a good one: he notices nothing, and the bridge's memory is bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from benchmarks.statistics import percentile
from benchmarks.triton import BridgeProcess
from tests.bridge.helpers import http
from tests.faults import attackers
from tests.faults.attackers import attacking
from tests.faults.bridges import free_port, watched
from tests.faults.conftest import Report
from tests.faults.report import Goal
from tests.faults.tritons import Tritons

pytestmark = pytest.mark.parametrize("tritons", ["replay"], indirect=True)

ATTACK_S = 4.0
POLL_S = 0.2
MEBIBYTE = 1 << 20
MOST_RESIDENT_BYTES = 300 * MEBIBYTE
LATENCY_S = 0.05
"""Promised to 99 of 100 frames of the good client; an attacker shares its cores, so the line fails at twice that."""

DESCRIPTORS = 1024
GOAL = Goal(wait_s=0.5, normal_s=ATTACK_S + 2.0)


@dataclass
class Bystander:
    """What an attack shows of the bridge from outside: its memory, and whether its health can be asked for."""

    resident_bytes: int = 0
    slowest_s: dict[str, float] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)

    async def watch(self, bridge: BridgeProcess, duration_s: float) -> None:
        """Look at the bridge until the time is over."""
        end_s = time.monotonic() + duration_s
        while time.monotonic() < end_s:
            for path in ("/health", "/metrics"):
                await self._ask(bridge, path)
            self.resident_bytes = max(self.resident_bytes, bridge.resident_bytes())
            await asyncio.sleep(POLL_S)

    async def _ask(self, bridge: BridgeProcess, path: str) -> None:
        begin_s = time.monotonic()
        try:
            status, _, _ = await asyncio.wait_for(http(bridge.port, path), ATTACK_S)
        except (OSError, LookupError, asyncio.TimeoutError) as exc:  # LookupError: nothing came
            status = 0
            self.refusals.append(f"{path}: {exc!r}")
        if status != 200 and status:
            self.refusals.append(f"{path}: {status}")
        self.slowest_s[path] = max(self.slowest_s.get(path, 0.0), time.monotonic() - begin_s)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("eight connections flood with pings", attackers.pings),
        ("fifty connections send messages of 1 MiB", attackers.big_messages),
        ("1,000 idle connections, 1,024 descriptors", attackers.idle_connections),
        ("ever new names of models, with NUL", attackers.model_names),
        ("gRPC batches of 1,024 frames, eight at once", attackers.batches),
    ],
)
async def test_attacks(
    tritons: Tritons, report: Report, fault: str, kind: Callable[[int], Awaitable[None]]
) -> None:
    """An attack for some seconds costs a good client nothing."""
    await tritons.ready()
    grpc_port = free_port()
    options = (f"--grpc-port={grpc_port}",)
    async with watched(tritons, *options, viewers=1, descriptors=DESCRIPTORS) as (observation, bridge):
        bystander = Bystander()

        async def attack() -> None:
            async with attacking(kind, grpc_port if kind is attackers.batches else bridge.port):
                await bystander.watch(bridge, ATTACK_S)

        line = await observation.try_fault(fault, attack)
        p99_s = percentile(observation.waits_s(), 0.99)
    remarks = f"p99 {p99_s * 1000:.0f} ms, bridge {bystander.resident_bytes / MEBIBYTE:.0f} MiB, health "
    remarks += f"{bystander.slowest_s.get('/health', 0) * 1000:.0f} ms"
    slow = (f"expected p99 {LATENCY_S * 1000:g} ms at most, got {p99_s * 1000:.0f} ms",)
    found = replace(
        line,
        remarks="; ".join(filter(None, [remarks, line.remarks])),
        misses=tuple(attack_misses(bystander)),
        slow=slow if p99_s > 2 * LATENCY_S else (),
    )
    report(found, GOAL)


def attack_misses(bystander: Bystander) -> list[str]:
    """Return a sentence for each goal of an attack that is missed, but for times."""
    misses = []
    if bystander.resident_bytes > MOST_RESIDENT_BYTES:
        got = bystander.resident_bytes // MEBIBYTE
        misses.append(f"expected a bridge of {MOST_RESIDENT_BYTES // MEBIBYTE} MiB at most, got {got} MiB")
    if bystander.refusals:
        got = f"{len(bystander.refusals)} refusals ({bystander.refusals[0]})"
        misses.append(f"expected /health and /metrics to answer, got {got}")
    return misses
