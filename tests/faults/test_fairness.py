"""A modest client beside ten greedy ones: it gets its frames as if they were not there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks.statistics import percentile
from tests.faults import attackers
from tests.faults.attackers import attacking
from tests.faults.bridges import watched
from tests.faults.conftest import Report
from tests.faults.report import Goal
from tests.faults.tritons import Tritons

MEASURED_S = 5.0
SLOWER = 3.0
"""How many times that alone the modest client's median may be: the greedy ones' process shares its two cores."""

LATENCY_FLOOR_S = 0.02
GOAL = Goal(wait_s=0.5, normal_s=MEASURED_S + 1.0)


@pytest.mark.parametrize(
    ("tritons", "frames_per_s", "limit_s", "frames"),
    [("replay", 25.0, 0.2, "cached"), ("latency", 1.0, 0.5, "computed")],
    indirect=["tritons"],
)
async def test_a_modest_client(
    tritons: Tritons, report: Report, frames_per_s: float, limit_s: float, frames: str
) -> None:
    """Ten others ask without pause, with as many frames in flight as they may."""
    await tritons.ready(frames=60 if frames == "cached" else 1)
    viewing = {"viewers": 1, "frames_per_s": frames_per_s, "limit_s": limit_s}
    async with watched(tritons, **viewing) as (observation, bridge):
        alone_s = percentile(observation.waits_s(), 0.5)

        async def crowd() -> None:
            async with attacking(attackers.greedy, bridge.port):
                await asyncio.sleep(MEASURED_S)

        line = await observation.try_fault(f"ten greedy clients, {frames} frames", crowd)
        beside_s = percentile(observation.waits_s(), 0.5)
    slow = []
    slower = beside_s / max(alone_s, LATENCY_FLOOR_S)
    if slower > SLOWER:
        slow.append(f"expected a median of {SLOWER:g} times that alone at most, got {slower:.1f} times")
    remarks = f"median {alone_s * 1000:.0f} ms alone, {beside_s * 1000:.0f} ms beside them"
    report(replace(line, remarks="; ".join(filter(None, [remarks, line.remarks])), slow=tuple(slow)), GOAL)
