"""A network between the bridge and one of two Tritons that delays, resets and swallows."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.faults.bridges import watched
from tests.faults.conftest import Report
from tests.faults.observing import Observation
from tests.faults.proxy import Network, network
from tests.faults.report import Goal
from tests.faults.tritons import Tritons

pytestmark = pytest.mark.parametrize("tritons", ["replay"], indirect=True)

DELAY_S = 0.3
FAULT_S = 3.0
WITHIN_S = 8.0
GOAL = Goal(normal_s=5.0)


@contextlib.asynccontextmanager
async def watched_through_a_network(tritons: Tritons) -> AsyncIterator[tuple[Observation, Network]]:
    """Have viewers play from both Tritons, the second of which is reached through a network."""
    await tritons.ready()
    first, second = tritons.addresses
    async with (
        network(second) as between,
        watched(tritons, addresses=[first, between.address]) as (observation, _),
    ):
        yield observation, between


async def test_delay(tritons: Tritons, report: Report) -> None:
    """Every answer of a Triton takes 0.3 s longer, for ever."""
    async with watched_through_a_network(tritons) as (observation, between):

        async def delay() -> None:
            between.delay_s = DELAY_S
            await asyncio.sleep(FAULT_S)

        line = await observation.try_fault(f"{DELAY_S:g} s of delay on one Triton", delay, within_s=WITHIN_S)
        report(line, GOAL)


async def test_reset(tritons: Tritons, report: Report) -> None:
    """Every connection to a Triton is reset."""
    async with watched_through_a_network(tritons) as (observation, between):

        async def reset() -> None:
            between.reset()

        report(await observation.try_fault("reset of one Triton's connections", reset), GOAL)


async def test_black_hole(tritons: Tritons, report: Report) -> None:
    """Nothing gets through to a Triton or back, without a word, and then all of it does."""
    async with watched_through_a_network(tritons) as (observation, between):

        async def swallow() -> None:
            between.swallow()
            await asyncio.sleep(FAULT_S)

        async def pass_on() -> None:
            between.pass_on()

        report(await observation.try_fault("one Triton's network swallows everything", swallow), GOAL)
        report(await observation.try_fault("it lets everything through again", pass_on), GOAL)
