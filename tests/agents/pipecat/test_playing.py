"""pipecat_lipsync/playing.py"""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from lipsync_client import InvalidSetting
from pipecat_lipsync.playing import Playing


def playing(timeout_s: float = 0.1) -> Playing:
    """Return a clock at 1000 samples a second."""
    clock = Playing(timeout_s)
    clock.rate = 1000
    return clock


async def overdue_after_s(clock: Playing) -> float:
    """Return how long it takes until sound is overdue."""
    started_s = time.monotonic()
    await asyncio.wait_for(clock.overdue(), 10)
    return time.monotonic() - started_s


@pytest.mark.parametrize("timeout_s", [0, -1, math.inf, math.nan])
def test_the_timeout_is_a_time(timeout_s: float) -> None:
    """What is no number of seconds above 0 is refused."""
    with pytest.raises(InvalidSetting) as caught:
        Playing(timeout_s)
    assert str(caught.value) == f"picture_timeout_s must be a number of seconds above 0, got {timeout_s!r}"


async def test_sound_that_waits_is_overdue_after_the_timeout() -> None:
    """It counts from when sound began to wait, whatever is added after."""
    clock = playing()
    clock.waits(5)
    clock.waits(10)
    assert 0.09 <= await overdue_after_s(clock) < 5


async def test_while_sound_plays_nothing_is_overdue() -> None:
    """What was handed on plays first, one piece after the other."""
    clock = playing()
    clock.waits(500)
    clock.plays(200)
    clock.plays(100)
    assert 0.39 <= await overdue_after_s(clock) < 5


async def test_an_interruption_stops_the_playing() -> None:
    """What was handed on before does not count any more."""
    clock = playing()
    clock.plays(60_000)
    clock.stops()
    clock.waits(1)
    assert await overdue_after_s(clock) < 5


async def test_nothing_waits_nothing_is_overdue() -> None:
    """Once the sound was handed on, the clock stands still until more waits."""
    clock = playing(0.01)
    clock.waits(1)
    clock.waits(0)
    await asyncio.wait_for(clock.emptied.wait(), 1)
    watching = asyncio.create_task(clock.overdue())
    await asyncio.wait([watching], timeout=0.05)
    assert not watching.done()
    clock.waits(1)
    assert not clock.emptied.is_set()
    await asyncio.wait_for(watching, 5)
