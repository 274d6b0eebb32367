"""A fleet under a horizontal pod autoscaler: sessions come and go, Tritons are added and taken away.

Here a session is what moves, not a frame: what a Triton carries, and how long requests wait in it at a load, are what
frame by frame simulations found. The autoscaler is Kubernetes': a wish every 15 seconds, of the metric as Prometheus
read it last, a tolerance, twice or four pods more in 15 seconds, and downwards the greatest wish of five minutes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import simpy

__all__ = ["Autoscaler", "Burst", "Fleet", "Metric", "run_fleet"]

Happenings = Generator[simpy.Event, Any, None]
"""A SimPy process: yields what it waits for."""

STEP_S = 5.0
"""Between two lines of a fleet's history."""

Metric = Callable[["Fleet"], float]
"""The metric's mean over ready Tritons, by its target: above 1 there are too few."""


@dataclass(frozen=True, kw_only=True)
class Autoscaler:
    """Its settings.

    Attributes:
        metric: What it looks at.
        sync_s: Between two looks.
        scrape_s: Between two readings of the metric.
        window_s: Over which readings are averaged; 0: the last one.
        tolerance: How far from 1 nothing is done.
        down_window_s: Whose greatest wish holds downwards.
        up_pods: That may be added in ``sync_s``, or as many as there are.
        least: Tritons.
        most: Tritons.
    """

    metric: Metric
    sync_s: float = 15.0
    scrape_s: float = 15.0
    window_s: float = 0.0
    tolerance: float = 0.1
    down_window_s: float = 300.0
    up_pods: int = 4
    least: int = 1
    most: int = 1000


@dataclass(frozen=True, kw_only=True)
class Burst:
    """Sessions that come: some all the time, many from a moment on.

    Attributes:
        before: Sessions at once before the burst.
        during: Sessions at once that come to be wanted in it.
        begin_s: When it begins.
        end_s: When as few come again as before.
        rise_s: Over which the sessions of the burst come beside those that replace others.
        session_s: How long a session lasts on average.
        retry_s: After which a refused one asks again.
        patience_s: For which it does.
    """

    before: float
    during: float
    begin_s: float = 300.0
    end_s: float = 2100.0
    rise_s: float = 60.0
    session_s: float = 300.0
    retry_s: float = 5.0
    patience_s: float = 60.0

    def rate(self, now_s: float) -> float:
        """Return how many sessions come a second."""
        if not self.begin_s <= now_s < self.end_s:
            return self.before / self.session_s
        rising = (self.during - self.before) / self.rise_s if now_s < self.begin_s + self.rise_s else 0.0
        return self.during / self.session_s + rising


@dataclass
class Fleet:
    """What there is, and what became of those who came.

    Attributes:
        capacity: Sessions that one Triton carries.
        ready: Tritons that serve.
        starting: Tritons that will.
        sessions: Going on now.
        came: Sessions that were wanted.
        waits_s: Of those that were admitted: how long after they were wanted.
        lost: Those that gave up.
        triton_s: Seconds of all Tritons, starting ones too.
        history: Time, sessions wanted and going on, Tritons ready and starting, every 5 seconds.
    """

    capacity: float
    ready: int
    starting: int = 0
    sessions: int = 0
    waiting: int = 0
    came: int = 0
    lost: int = 0
    waits_s: list[float] = field(default_factory=list)
    triton_s: float = 0.0
    history: list[tuple[float, int, int, int, int]] = field(default_factory=list)

    @property
    def load(self) -> float:
        """Sessions by what the ready Tritons carry."""
        return self.sessions / (self.ready * self.capacity) if self.ready else 0.0


def run_fleet(
    fleet: Fleet, scaler: Autoscaler | None, burst: Burst, start_s: float, seconds: float, seed: int = 7
) -> Fleet:
    """Run a fleet through a burst, and return it.

    Args:
        fleet: As it is at the beginning.
        scaler: What adds and takes away Tritons; None: nothing does.
        burst: Who comes.
        start_s: From the wish for a Triton to its being ready.
        seconds: How long.
        seed: Of chance.
    """
    env, random = simpy.Environment(), Random(seed)
    env.process(_arrivals(env, fleet, burst, random))
    env.process(_notes(env, fleet))
    if scaler is not None:
        env.process(_scale(env, fleet, scaler, start_s))
    env.run(until=seconds)
    return fleet


def _notes(env: simpy.Environment, fleet: Fleet) -> Happenings:
    while True:
        wanted = fleet.sessions + fleet.waiting
        fleet.history.append((env.now, wanted, fleet.sessions, fleet.ready, fleet.starting))
        yield env.timeout(STEP_S)
        fleet.triton_s += STEP_S * (fleet.ready + fleet.starting)


def _arrivals(env: simpy.Environment, fleet: Fleet, burst: Burst, random: Random) -> Happenings:
    """Have sessions come: a Poisson process whose rate changes, by thinning one of the greatest rate."""
    for _ in range(round(burst.before)):
        fleet.came += 1
        env.process(_session(env, fleet, burst, random))
    most = max(burst.rate(burst.begin_s), burst.rate(0.0))
    while True:
        yield env.timeout(random.expovariate(most))
        if random.random() * most < burst.rate(env.now):
            fleet.came += 1
            env.process(_session(env, fleet, burst, random))


def _session(env: simpy.Environment, fleet: Fleet, burst: Burst, random: Random) -> Happenings:
    came_s = env.now
    fleet.waiting += 1
    while fleet.sessions >= math.floor(fleet.ready * fleet.capacity):
        if env.now - came_s >= burst.patience_s:
            fleet.waiting -= 1
            fleet.lost += 1
            return
        yield env.timeout(burst.retry_s)
    fleet.waiting -= 1
    fleet.sessions += 1
    fleet.waits_s.append(env.now - came_s)
    yield env.timeout(random.expovariate(1 / burst.session_s))
    fleet.sessions -= 1


def _scale(env: simpy.Environment, fleet: Fleet, scaler: Autoscaler, start_s: float) -> Happenings:
    readings: deque[tuple[float, float]] = deque([(0.0, scaler.metric(fleet))])
    wishes: deque[tuple[float, int]] = deque()
    env.process(_scrape(env, fleet, scaler, readings))
    while True:
        yield env.timeout(scaler.sync_s)
        recent = [value for time_s, value in readings if time_s >= env.now - scaler.window_s]
        value = sum(recent) / len(recent) if scaler.window_s and recent else readings[-1][1]
        wishes.append((env.now, _wish(fleet, scaler, value)))
        while wishes[0][0] < env.now - scaler.down_window_s:
            wishes.popleft()
        _follow(env, fleet, scaler, [wish for _, wish in wishes], start_s)


def _scrape(
    env: simpy.Environment, fleet: Fleet, scaler: Autoscaler, readings: deque[tuple[float, float]]
) -> Happenings:
    while True:
        yield env.timeout(scaler.scrape_s)
        readings.append((env.now, scaler.metric(fleet)))
        while readings[0][0] < env.now - max(scaler.window_s, scaler.scrape_s):
            readings.popleft()


def _wish(fleet: Fleet, scaler: Autoscaler, value: float) -> int:
    """Return how many Tritons the metric asks for: those that start count as idle where more are asked for."""
    there = fleet.ready + fleet.starting
    if abs(value - 1) <= scaler.tolerance:
        return there
    wish = math.ceil(value * fleet.ready - 1e-9)
    if value > 1:
        wish = max(wish, there) if wish > there * (1 + scaler.tolerance) else there
    return min(scaler.most, max(scaler.least, wish))


def _follow(
    env: simpy.Environment, fleet: Fleet, scaler: Autoscaler, wishes: list[int], start_s: float
) -> None:
    there = fleet.ready + fleet.starting
    wish = wishes[-1] if wishes[-1] > there else min(there, max(wishes))
    added = min(wish - there, max(scaler.up_pods, there))
    for _ in range(max(0, added)):
        fleet.starting += 1
        env.process(_start(env, fleet, start_s))
    if wish < there:  # those that start are the last to be taken away here: they are few by then
        fleet.ready -= min(fleet.ready - scaler.least, there - wish)


def _start(env: simpy.Environment, fleet: Fleet, start_s: float) -> Happenings:
    yield env.timeout(start_s)
    fleet.starting -= 1
    fleet.ready += 1
