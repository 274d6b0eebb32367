"""More frames are asked for than two Tritons can compute: what they can is answered, soon, and the rest refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from benchmarks.statistics import percentile
from benchmarks.triton import BridgeProcess
from benchmarks.websocket import frame_message
from tests.conftest import CLIP_FRAMES
from tests.faults.conftest import Report
from tests.faults.crowd import Answers, addresses, callers, offer, one_after_another
from tests.faults.report import Goal, Line
from tests.faults.tritons import AVATAR, Tritons

pytestmark = pytest.mark.parametrize("tritons", ["latency"], indirect=True)

MESSAGES = [frame_message(AVATAR, frame_id) for frame_id in range(CLIP_FRAMES)]
CALLERS = 60
AT_ONCE = 2
"""Frames in flight that keep both Tritons busy, and make none wait."""

MEASURED_S, OVERLOAD_S, WARM_S = 4.0, 5.0, 1.5
GOOD_SHARE, LEAST_GOOD_SHARE = 0.9, 0.7
SLOWER, MOST_SLOWER = 3.0, 4.5
"""Of the rate alone and the latency alone: what is promised, and where the line fails on a busy machine."""

LATENCY_FLOOR_S = 0.1
NORMAL_GOAL = Goal(failed=1 << 30, wait_s=None, normal_s=1.0)


@dataclass(frozen=True)
class Alone:
    """What both Tritons do without overload: together their rate, and the 99th percentile of a lone caller."""

    frames_per_s: float
    p99_s: float


async def test_overload(tritons: Tritons, report: Report) -> None:
    """At 2, 5 and 20 times the capacity nine tenths of it are good answers, none of them three times as slow."""
    await tritons.ready(frames=1)
    async with tritons.bridge() as bridge:
        alone = await measure_alone(bridge)
        for times in (2, 5, 20):
            report(await overload(bridge, times, alone), NORMAL_GOAL)


async def measure_alone(bridge: BridgeProcess) -> Alone:
    """Measure both Tritons busy, and one caller alone."""
    lone = await one_after_another(bridge.port, AVATAR, CLIP_FRAMES, 1, MEASURED_S)
    both = await one_after_another(bridge.port, AVATAR, CLIP_FRAMES, AT_ONCE, MEASURED_S)
    p99_s = max(percentile(lone.latencies_s(), 0.99), percentile(both.latencies_s(), 0.5))
    return Alone(len(both.good) / MEASURED_S, max(p99_s, LATENCY_FLOOR_S))


async def overload(bridge: BridgeProcess, times: int, alone: Alone) -> Line:
    """Ask for ``times`` as many frames as can be computed, and look for how long it lasts after its end."""
    loop, answers = asyncio.get_running_loop(), Answers()
    async with callers(bridge.port, addresses(CALLERS), answers) as sockets:
        begin_s = loop.time() + WARM_S
        asked = await offer(sockets, MESSAGES, times * alone.frames_per_s, OVERLOAD_S)
        end_s = loop.time()
    latencies_s = answers.latencies_s(begin_s)
    rate = len(latencies_s) / (end_s - begin_s)
    p99_s = percentile(latencies_s, 0.99) if latencies_s else OVERLOAD_S
    normal_s = await until_normal(bridge, MOST_SLOWER * alone.p99_s)
    return Line(
        fault=f"{times} times the capacity of {alone.frames_per_s:.0f} frames/s",
        frames=asked,
        failed=asked - len(answers.good),
        wait_s=max(answers.latencies_s(), default=OVERLOAD_S),
        normal_s=normal_s,
        remarks=f"{rate / alone.frames_per_s:.0%} of the capacity, p99 {p99_s / alone.p99_s:.1f} times "
        f"{alone.p99_s * 1000:.0f} ms; {dict(answers.errors)}",
        slow=tuple(overload_misses(rate / alone.frames_per_s, p99_s / alone.p99_s)),
    )


def overload_misses(share: float, slower: float) -> list[str]:
    """Return a sentence for each goal of an overload that is missed by more than noise."""
    misses = []
    if share < LEAST_GOOD_SHARE:
        misses.append(f"expected {GOOD_SHARE:.0%} of the capacity in pictures, got {share:.0%}")
    if slower > MOST_SLOWER:
        misses.append(f"expected p99 {SLOWER:g} times that of a lone caller at most, got {slower:.1f} times")
    return misses


async def until_normal(bridge: BridgeProcess, limit_s: float, within_s: float = 15.0) -> float | None:
    """Return after how long a lone caller's frames come within the limit, three in a row; None if they do not."""
    loop, answers = asyncio.get_running_loop(), Answers()
    begin_s, done = loop.time(), asyncio.Event()
    since_s: list[float] = []

    def answered(caller: object) -> None:
        done.set()

    async with callers(bridge.port, ["127.0.0.9"], answers, answered) as (caller,):
        while loop.time() < begin_s + within_s and len(since_s) < 3:
            asked_s, good = loop.time(), len(answers.good)
            done.clear()
            caller.ask(MESSAGES[len(since_s)], asked_s)
            await done.wait()
            is_normal = len(answers.good) > good and loop.time() - asked_s <= limit_s
            since_s = [*since_s, asked_s] if is_normal else []
    return since_s[0] - begin_s if len(since_s) == 3 else None
