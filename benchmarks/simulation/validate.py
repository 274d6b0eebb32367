"""One machine measured under several loads, and the same loads simulated: ``--validate``."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

from benchmarks.bridge_alone import LIVE_OPTIONS
from benchmarks.machine import usable_cores
from benchmarks.simulation import load
from benchmarks.simulation.calibrate import AVATAR
from benchmarks.simulation.crowd import call_without_pause, offer
from benchmarks.simulation.model import cached_machine, computed_machine, cpu_triton, live_machine
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import BridgeCosts, Layout, simulate
from benchmarks.site import FRAMES, Site
from benchmarks.speakers import MICROPHONE, Heard, speak
from benchmarks.statistics import timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_bridge, running_triton
from benchmarks.websocket import frame_message

__all__ = ["TOLERANCE", "Compared", "summary", "validate"]

TOLERANCE = 0.15
COMPUTED_CALLERS, CACHED_CALLERS = (1, 2, 4, 8), (1, 2, 4, 8, 32, 64)
VIEWERS = 50
OVERLOAD, OVERLOAD_CLIENTS = 2.0, 60
SESSIONS = (1, 2, 3)
RATE, MEDIAN = "frames/s", "p50_ms"
LEAST_MS = 0.5
"""Differences of times below this are told, not judged."""

COMPUTED = load.Clips(frames=FRAMES)
CACHED = load.Clips(frames=FRAMES, is_warm=True)
MESSAGES = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]


@dataclass(frozen=True)
class Compared:
    """A load, as it was measured and as it was simulated."""

    load: str
    measured: Outcome
    simulated: Outcome
    has_latency: bool = True

    def rows(self) -> list[Row]:
        """Return a row per figure."""
        return [
            {
                "load": self.load,
                "figure": figure,
                "measured": measured,
                "simulated": simulated,
                "difference": f"{simulated / measured - 1:+.0%}" if measured else "",
            }
            for figure, measured, simulated in self._figures()
        ]

    @property
    def judged(self) -> dict[str, float]:
        """The relative differences of rates and medians, by figure."""
        return {
            f"{self.load}, {figure}": simulated / measured - 1
            for figure, measured, simulated in self._figures()
            if measured and (figure == RATE or (figure == MEDIAN and abs(simulated - measured) > LEAST_MS))
        }

    def _figures(self) -> list[tuple[str, float, float]]:
        found = [(RATE, self.measured.frames_per_s, self.simulated.frames_per_s)]
        if self.has_latency:
            found += [
                (f"{name}_ms", self.measured.quantile_ms(share), self.simulated.quantile_ms(share))
                for name, share in (("p50", 0.5), ("p99", 0.99))
            ]
        return found


@dataclass(frozen=True)
class _Measured:
    """A load that was put on the real ones, and what simulates it: later, as that takes the process's clocks."""

    load: str
    outcome: Outcome
    simulate: Callable[[], Outcome]
    has_latency: bool = True

    def compared(self) -> Compared:
        return Compared(self.load, self.outcome, self.simulate(), self.has_latency)


def validate(site: Site, known: Parameters, seconds: float) -> list[Compared]:
    """Measure each load for about ``seconds``, then simulate them all.

    Raises:
        LoadFailed: If connections fail or live sessions end.
    """

    async def measure() -> list[_Measured]:
        parts = (
            _computed(site, known, seconds),
            _cached(site, known, seconds),
            _live(site, known, 2 * seconds),
        )
        return [measured for part in parts async for measured in part]

    return [measured.compared() for measured in asyncio.run(measure())]


async def _computed(site: Site, known: Parameters, seconds: float) -> AsyncIterator[_Measured]:
    async with (
        running_triton(site.model_repository, "latency") as triton,
        running_bridge(triton.grpc_url) as bridge,
    ):
        run = _simulated(known, cpu_triton(known), computed_machine(known))
        capacity = 0.0
        for callers in COMPUTED_CALLERS:
            measured = await call_without_pause(bridge.port, callers, MESSAGES, seconds)
            capacity = max(capacity, measured.frames_per_s)
            wanted = load.callers(callers, 20, COMPUTED)
            yield _Measured(f"{callers} callers, computed", measured, partial(run, wanted))
        measured = await offer(bridge.port, OVERLOAD_CLIENTS, MESSAGES, OVERLOAD * capacity, seconds)
        wanted = load.offered(OVERLOAD * capacity, OVERLOAD_CLIENTS, 20, COMPUTED)
        yield _Measured(f"{OVERLOAD:g} times what was the most of these", measured, partial(run, wanted))


def summary(compared: list[Compared]) -> str:
    """Return a sentence on how many figures are within the tolerance, and which are not."""
    judged = {name: off for one in compared for name, off in one.judged.items()}
    outside = {name: off for name, off in judged.items() if abs(off) > TOLERANCE}
    told = "".join(f"; {name}: {off:+.0%}" for name, off in outside.items())
    figures = sum(not row["figure"].startswith("p99") for one in compared for row in one.rows())  # type: ignore[union-attr]
    return f"{figures - len(outside)} of {figures} rates and medians within {TOLERANCE:.0%}{told}"


async def _cached(site: Site, known: Parameters, seconds: float) -> AsyncIterator[_Measured]:
    run = _simulated(known, cpu_triton(known, known["cache_bytes"]), cached_machine(known))
    async with (
        running_triton(site.model_repository, "replay") as triton,
        running_bridge(triton.grpc_url) as bridge,
    ):
        with GrpcCaller(triton.grpc_url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
            timed_round(caller.call, FRAMES)
        for callers in CACHED_CALLERS:
            measured = await call_without_pause(bridge.port, callers, MESSAGES, seconds)
            wanted = load.callers(callers, 2, CACHED)
            yield _Measured(f"{callers} callers, cached", measured, partial(run, wanted))
        measured = await offer(bridge.port, VIEWERS, MESSAGES, 25.0 * VIEWERS, seconds)
        yield _Measured(
            f"{VIEWERS} viewers, cached", measured, partial(run, load.viewers(VIEWERS, 3, CACHED))
        )


async def _live(site: Site, known: Parameters, seconds: float) -> AsyncIterator[_Measured]:
    run = _simulated(known, cpu_triton(known), live_machine(known))
    async with (
        running_triton(site.model_repository, "batching") as triton,
        running_bridge(triton.grpc_url, *LIVE_OPTIONS) as bridge,
    ):
        await speak(bridge.port, AVATAR, 1, MICROPHONE, 2.0, 1)  # has the silent pictures painted
        for sessions in SESSIONS:
            heard = await speak(bridge.port, AVATAR, sessions, MICROPHONE, seconds, 1)
            wanted, measured = (
                load.live_sessions(sessions, 20, utterance_s=seconds),
                _as_outcome(heard, seconds),
            )
            yield _Measured(f"{sessions} live sessions", measured, partial(run, wanted), has_latency=False)


def _as_outcome(heard: Heard, seconds: float) -> Outcome:
    found = Outcome(seconds, heard.expected)
    for late_ms in heard.late_ms:
        found.note("ok", late_ms / 1000)
    return found


def _simulated(known: Parameters, triton: TritonCosts, costs: BridgeCosts) -> Callable[[load.Load], Outcome]:
    layout = Layout(cores=usable_cores(), is_one_machine=True)
    return lambda wanted: simulate(layout, triton, costs, wanted)
