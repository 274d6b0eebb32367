"""Processor sharing: the cores of a machine, or a GPU, among whatever computes on it."""

from __future__ import annotations

import itertools
from collections import deque
from heapq import heappop, heappush

import simpy

__all__ = ["Cores", "Thread"]


class Cores:
    """Some cores, shared as a system's scheduler shares them: each thread that wants to run gets the same part.

    Jobs of ``width`` threads run on as many cores at once. Where there are more threads than cores, all are slowed
    down by one factor, so one virtual clock tells when each job ends.

    Args:
        env: Whose time it is.
        count: How many cores; a GPU is 1.0 of itself.

    Attributes:
        used_core_s: Core seconds that jobs have used so far.
    """

    def __init__(self, env: simpy.Environment, count: float) -> None:
        self.used_core_s = 0.0
        self._env = env
        self._count = count
        self._width = 0.0
        self._virtual_s = 0.0
        self._since_s = float(env.now)
        self._is_stopped = False
        self._numbers = itertools.count()
        self._turn = 0
        self._jobs: list[tuple[float, int, float, simpy.Event]] = []

    def work(self, core_s: float, width: float = 1.0) -> simpy.Event:
        """Return an event that happens once ``core_s`` core seconds were spent, on ``width`` cores at most."""
        self._advance()
        done = self._env.event()
        heappush(self._jobs, (self._virtual_s + core_s / width, next(self._numbers), width, done))
        self._width += width
        self._schedule()
        return done

    def stop(self) -> None:
        """Have all jobs stand still, as SIGSTOP does."""
        self._advance()
        self._is_stopped = True
        self._schedule()

    def resume(self) -> None:
        """Have them go on."""
        self._advance()
        self._is_stopped = False
        self._schedule()

    def clear(self) -> None:
        """Forget all jobs, as SIGKILL does; their events never happen."""
        self._advance()
        self._jobs.clear()
        self._width = 0.0
        self._schedule()

    @property
    def _speed(self) -> float:
        """How fast each thread runs: 1.0 with a core of its own."""
        if self._is_stopped:
            return 0.0
        return min(1.0, self._count / self._width) if self._jobs else 1.0

    def _advance(self) -> None:
        passed_s = (self._env.now - self._since_s) * self._speed
        self._virtual_s += passed_s
        self.used_core_s += passed_s * self._width
        self._since_s = self._env.now

    def _schedule(self) -> None:
        self._turn += 1
        if not self._jobs or self._is_stopped:
            return
        delay_s = max(0.0, (self._jobs[0][0] - self._virtual_s) / self._speed)
        timeout = self._env.timeout(delay_s, self._turn)
        assert timeout.callbacks is not None
        timeout.callbacks.append(self._fire)

    def _fire(self, event: simpy.Event) -> None:
        if event.value != self._turn:  # jobs have come or gone since
            return
        self._advance()
        self._virtual_s = max(self._virtual_s, self._jobs[0][0])  # else rounding might leave nothing done
        while self._jobs and self._jobs[0][0] <= self._virtual_s:
            _, _, width, done = heappop(self._jobs)
            self._width -= width
            done.succeed()
        if not self._jobs:
            self._width = 0.0  # sums of floats drift
        self._schedule()


class Thread:
    """One thread: its jobs run one after another, as those of an event loop do."""

    def __init__(self, env: simpy.Environment, cores: Cores) -> None:
        self._env = env
        self._cores = cores
        self._waiting: deque[tuple[float, simpy.Event]] = deque()
        self._is_busy = False

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    def work(self, core_s: float) -> simpy.Event:
        """Return an event that happens once the jobs before and this one have run."""
        done = self._env.event()
        if self._is_busy:
            self._waiting.append((core_s, done))
        else:
            self._begin(core_s, done)
        return done

    def _begin(self, core_s: float, done: simpy.Event) -> None:
        self._is_busy = True
        running = self._cores.work(core_s)
        assert running.callbacks is not None
        running.callbacks.append(lambda _: self._end(done))

    def _end(self, done: simpy.Event) -> None:
        self._is_busy = False
        if self._waiting:
            self._begin(*self._waiting.popleft())
        done.succeed()
