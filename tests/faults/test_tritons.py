"""A Triton that dies, comes back, stands still and goes on, under viewers of cached frames."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.faults.bridges import both_healthy, watched
from tests.faults.conftest import Report
from tests.faults.report import Goal
from tests.faults.tritons import Tritons

pytestmark = pytest.mark.parametrize("tritons", ["replay"], indirect=True)

STANDSTILL_S = 4.0
RESTART_GOAL = Goal(normal_s=20.0)
"""A Triton of these models takes three seconds to start, several times that beside viewers on two cores."""


async def test_sigkill_and_return(tritons: Tritons, report: Report) -> None:
    """A Triton dies by SIGKILL, and comes back with an empty cache."""
    await tritons.ready()
    async with watched(tritons) as (observation, bridge):

        async def kill() -> None:
            tritons.signal(signal.SIGKILL)

        async def nothing() -> None:
            """Its return is the fault."""

        report(
            await observation.try_fault("SIGKILL of one of two Tritons", kill, tritons.answers), RESTART_GOAL
        )
        returned = await observation.try_fault(
            "its return with an empty cache", nothing, both_healthy(bridge)
        )
        report(returned, Goal())


async def test_standstill(tritons: Tritons, report: Report) -> None:
    """A Triton is stopped by SIGSTOP for some seconds, and goes on."""
    await tritons.ready()
    async with watched(tritons) as (observation, bridge):

        async def stop() -> None:
            tritons.signal(signal.SIGSTOP)
            await asyncio.sleep(STANDSTILL_S)

        async def go_on() -> None:
            tritons.signal(signal.SIGCONT)

        try:
            report(await observation.try_fault("SIGSTOP of one of two Tritons", stop), Goal(normal_s=5.0))
        finally:
            await go_on()
        report(await observation.try_fault("SIGCONT after it", go_on, both_healthy(bridge)), Goal())
