"""The tries of one call: on one upstream and, where that is late, lost or failing, on a second; the first answer wins.

A second try is not free, so a budget bounds them: where all upstreams are slow, asking twice would make them slower.
Twice and no more: a request that brings Triton down must not bring them all down. Upstreams that do not know the model
do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from bridge.errors import BridgeError, InternalError, Overloaded, UnknownModel, UpstreamLost
from bridge.latency import Latencies
from bridge.triton import TritonClient
from bridge.upstream import Lease, Upstream

__all__ = ["Budget", "Call", "Pool", "Tries"]

Answer = TypeVar("Answer")
Call = Callable[[TritonClient], Awaitable[Answer]]

MAX_TRIES = 2
TRIED_AGAIN = (UpstreamLost, InternalError, Overloaded)
"""What another upstream may not suffer from."""

EARNED = 0.2
MAX_SAVED = 20.0

LATE_LIMIT = 4.0
"""A try that another one has overtaken goes on for so many times what is late already: its answer tells how slow
its upstream is, and may fill a cache there."""

LEAST_LIMIT_S = 1.0


class Budget:
    """Second tries are at most a fifth of the calls, but for a few saved up."""

    def __init__(self) -> None:
        self._saved = MAX_SAVED

    def earn(self) -> None:
        """Count a call."""
        self._saved = min(MAX_SAVED, self._saved + EARNED)

    def spend(self) -> bool:
        """Return whether there may be a second try now, and count it."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True


class Pool(Protocol):
    """Where the tries get their upstreams from."""

    latencies: Latencies
    budget: Budget

    def lease_next(self, kind: str, asked: Sequence[Upstream], with_room: bool = False) -> Lease | None:
        """Return a lease of a ready upstream that was not asked, ``with_room`` where it must have that, else None."""

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Own a try that goes on after its call was answered."""

    def blame(self, upstream: Upstream, kind: str, call: Call[Any]) -> None:
        """Note that an upstream failed, or left unanswered, a call that another one answered."""


class Tries(Generic[Answer]):
    """One call: ``await Tries(pool, kind, call).run(lease)``.

    Attributes:
        failures: Why tries failed, in order.
        unknown: Set where an upstream did not know the model.
    """

    def __init__(self, pool: Pool, kind: str, call: Call[Answer]) -> None:
        self.failures: list[BridgeError] = []
        self.unknown: UnknownModel | None = None
        self._pool = pool
        self._kind = kind
        self._call = call
        self._late_s = pool.latencies.late_s(kind)
        self._asked: list[Upstream] = []
        self._failed: list[Upstream] = []
        self._running: dict[asyncio.Task[Answer], Lease] = {}
        self._hedged = False
        self._waiter: asyncio.Future[None] | None = None

    async def run(self, lease: Lease) -> Answer | None:
        """Return the first answer; None where no try brought one, for reasons that the attributes tell.

        Args:
            lease: Of the first upstream.

        Raises:
            BridgeError: Whatever an upstream answers that another one would answer as well.
        """
        self._pool.budget.earn()
        try:
            self._begin(lease)
            while self._running:
                await self._wait()
                done = [task for task in self._running if task.done()]
                if not done:
                    self._hedge()
                for task in done:
                    lease = self._running.pop(task)
                    if not task.cancelled() and task.exception() is None:
                        return self._won(task, lease)
                    self._lost(task, lease)
            return None
        finally:
            await self._cancel()

    async def _wait(self) -> None:
        """Wait until a try has ended, or is late; ``asyncio.wait`` takes several times as long, for every frame."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        if any(task.done() for task in self._running):
            return
        patience_s = self._patience_s
        timer = None if patience_s is None else loop.call_later(patience_s, self._wake)
        try:
            await self._waiter
        finally:
            if timer is not None:
                timer.cancel()

    def _wake(self, task: asyncio.Task[Answer] | None = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def _patience_s(self) -> float | None:
        return None if self._hedged or len(self.failures) + 1 >= MAX_TRIES else self._late_s

    def _begin(self, lease: Lease) -> None:
        self._asked.append(lease.upstream)
        task = asyncio.create_task(self._try(lease))
        task.add_done_callback(self._wake)
        self._running[task] = lease
        lease.upstream.hold(task)

    async def _try(self, lease: Lease) -> Answer:
        with lease as client:
            return await self._call(client)

    def _hedge(self) -> None:
        """Ask another one as well: the first is late. Where nobody may be asked now, it is looked at again later."""
        for lease in self._running.values():
            lease.upstream.note_late()
        self._hedged = self._begin_another(within_budget=True, with_room=True)

    def _begin_another(self, within_budget: bool, with_room: bool = False) -> bool:
        lease = self._pool.lease_next(self._kind, self._asked, with_room)
        if lease is None:
            return False
        if within_budget and not self._pool.budget.spend():
            lease.release()
            return False
        self._begin(lease)
        return True

    def _won(self, task: asyncio.Task[Answer], lease: Lease) -> Answer:
        self._pool.latencies.add(self._kind, lease.duration_s)
        lease.upstream.note_answer(self._kind, lease, self._late_s)
        for upstream in self._failed:
            self._pool.blame(upstream, self._kind, self._call)
        running, self._running = self._running, {}
        for other, its_lease in running.items():
            self._leave_behind(other, its_lease)
        return task.result()

    def _lost(self, task: asyncio.Task[Answer], lease: Lease) -> None:
        exc = UpstreamLost(lease.upstream.address, "none in time") if task.cancelled() else task.exception()
        if isinstance(exc, UnknownModel):
            self.unknown = exc
            self._begin_another(within_budget=False)
            return
        if not isinstance(exc, TRIED_AGAIN):
            assert exc is not None
            raise exc
        self.failures.append(exc)
        if isinstance(exc, InternalError):
            self._failed.append(lease.upstream)
        if not self._running and len(self.failures) < MAX_TRIES:
            self._begin_another(within_budget=not isinstance(exc, UpstreamLost))

    def _leave_behind(self, task: asyncio.Task[Answer], lease: Lease) -> None:
        """Let a try that was overtaken go on for a while; one that is never answered is its upstream's failure."""
        limit_s = max(LEAST_LIMIT_S, LATE_LIMIT * self._late_s)
        timer = asyncio.get_running_loop().call_later(limit_s, task.cancel)

        def ended(task: asyncio.Task[Answer]) -> None:
            timer.cancel()
            if task.cancelled() or task.exception() is not None:
                lease.upstream.note_pace(lease.duration_s / self._late_s)
            else:
                lease.upstream.note_answer(self._kind, lease, self._late_s)
            hung = task.cancelled() and lease.duration_s >= limit_s
            if hung or (not task.cancelled() and isinstance(task.exception(), InternalError)):
                self._pool.blame(lease.upstream, self._kind, self._call)

        task.add_done_callback(ended)
        self._pool.adopt(task)

    async def _cancel(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)
