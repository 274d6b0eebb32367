"""benchmarks/simulation/clock.py"""

import asyncio
import logging
import time

import pytest

from benchmarks.simulation.clock import simulated_time


async def test_it_is_left_alone():
    """Outside the block, time is the real one; a loop that runs is not disturbed."""
    before_s = time.monotonic()
    assert time.monotonic() >= before_s > 1


def test_time_passes_by_waiting_only():
    """Sleeping takes simulated seconds, as the clocks that the bridge reads say; the real ones are back after it."""
    real = time.perf_counter

    async def sleep() -> list[float]:
        await asyncio.sleep(100)
        return [time.monotonic(), time.perf_counter(), asyncio.get_running_loop().time()]

    began_s = real()
    with simulated_time() as loop:
        assert loop.run(sleep(), 1000) == [100.0, 100.0, 100.0]
    assert real() - began_s < 1
    assert time.perf_counter is real


def test_coroutines_and_simpy_share_a_clock():
    """A coroutine waits for a SimPy process, and a timer of asyncio's comes between two of SimPy's."""
    seen = []
    with simulated_time() as loop:

        def process():
            for _ in range(2):
                yield loop.env.timeout(2)
                seen.append(("simpy", loop.env.now))
            return "done"

        async def wait():
            asyncio.get_running_loop().call_later(3, lambda: seen.append(("asyncio", loop.time())))
            return await loop.until(loop.env.process(process()))

        assert loop.run(wait(), 100) == "done"
    assert seen == [("simpy", 2), ("asyncio", 3), ("simpy", 4)]


def test_an_event_that_has_happened():
    """What has happened before is not waited for."""
    with simulated_time() as loop:

        async def wait():
            event = loop.env.event().succeed("before")
            await asyncio.sleep(1)
            return await loop.until(event), loop.time()

        assert loop.run(wait(), 10) == ("before", 1.0)


def test_it_ends():
    """A load that never ends, one that nothing can end, and a failed task nobody waits for, end the simulation."""
    with simulated_time() as loop, pytest.raises(TimeoutError, match="to end within 5 simulated seconds"):
        loop.run(asyncio.sleep(1000), 5)

    async def forget():
        async def fail():
            raise ValueError("nobody waits for this")

        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with simulated_time() as loop, pytest.raises(ZeroDivisionError):
        loop.run(forget(), 5)


def test_the_bridge_is_silent(caplog):
    """What simulated bridges would log is no event of this machine."""
    with caplog.at_level(logging.WARNING), simulated_time():
        logging.getLogger("bridge.turns").warning("in the simulation")
    logging.getLogger("bridge.turns").warning("for real")
    assert [record.message for record in caplog.records] == ["for real"]
