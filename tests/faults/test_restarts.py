"""Everything is restarted, one process after the other, under viewers of cached frames."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import pytest

from tests.conftest import CLIP_FRAMES
from tests.faults.bridges import both_healthy, free_port, watched
from tests.faults.conftest import Report
from tests.faults.observing import Observation
from tests.faults.report import Goal
from tests.faults.tritons import AVATAR, Tritons
from tests.faults.viewers import playing

pytestmark = pytest.mark.parametrize("tritons", ["replay"], indirect=True)

POLL_S = 0.05
EACH_WITHIN_S = 40.0
PAUSE_S = 10.0
"""Between two restarts, as ``minReadySeconds`` in Kubernetes: viewers fill the cache of the new one meanwhile."""

TRITONS_GOAL = Goal(normal_s=2 * EACH_WITHIN_S + PAUSE_S)
BRIDGE_GOAL = Goal(wait_s=4.0, normal_s=5.0)
"""The page connects again after one second, and if that was too early after two more."""


async def test_rolling_restart_of_tritons(tritons: Tritons, report: Report) -> None:
    """Each Triton in turn is ended by SIGTERM, and the next once the bridge uses it again."""
    await tritons.ready()
    async with watched(tritons) as (observation, bridge):

        async def restart(index: int) -> None:
            old = tritons.family(index).member("tritonserver")
            old.kill(signal.SIGTERM)
            await asyncio.to_thread(old.ended, EACH_WITHIN_S)
            is_back = False
            while not is_back:
                await asyncio.sleep(POLL_S)
                is_back = await tritons.answers(index) and await both_healthy(bridge)()

        async def roll() -> None:
            await asyncio.wait_for(restart(0), EACH_WITHIN_S)
            await asyncio.sleep(PAUSE_S)
            await asyncio.wait_for(restart(1), EACH_WITHIN_S)

        line = await observation.try_fault("rolling restart of both Tritons", roll, within_s=90.0)
        report(line, TRITONS_GOAL)


async def test_restart_of_the_bridge(tritons: Tritons, report: Report) -> None:
    """The bridge is ended by SIGTERM and another is started on its port."""
    await tritons.ready()
    port = free_port()
    async with AsyncExitStack() as bridge, AsyncExitStack() as viewing:
        await bridge.enter_async_context(tritons.bridge("--port", str(port)))
        players = await viewing.enter_async_context(playing(port, AVATAR, CLIP_FRAMES))
        observation = Observation(players)
        await observation.settle()

        async def restart() -> None:
            await bridge.aclose()
            await bridge.enter_async_context(tritons.bridge("--port", str(port)))

        report(await observation.try_fault("restart of the bridge", restart), BRIDGE_GOAL)
