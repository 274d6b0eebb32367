"""Whose call is next where Triton has its hands full: clients take turns, and live sessions come before clips.

A client that has many calls waiting waits for itself: whoever has few comes before, and of those whoever has had less
than the others, of late. So one who asks for a frame now and then gets it as if nobody else were there. Among equals
the latest call is next: it is still waited for. Where there is a queue that does not go away, a call that has waited
long is refused: too late an answer costs as much as one in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from bridge.errors import Overloaded
from bridge.upstream import Lease

__all__ = ["Client", "Turns", "ask_as", "current", "patiently"]

OWN_CALLS = 32

FEW = 4
"""Calls that a client may have waiting before it counts as one that waits for itself."""

STANDING_S = 0.6
"""A queue that was empty no longer ago is a moment's: a Triton that died, a burst. Nobody is refused for that."""

LATELY_S = 1.0
"""How long a client that had many waiting counts as one, and a queue of which one was refused as one that stands."""

STAY = 4.0
"""Times its patience that a call stays which may, before that is looked at again."""

FORGET_BEYOND = 1024
"""Clients that are remembered at least; of more, those that nothing is held against are forgotten."""


TELL_EVERY_S = 10.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Client:
    """Who asks.

    Attributes:
        name: One connection, or one address, whatever takes turns with others.
        has_window: Whether it bounds its calls in flight by itself: alone, it may wait for ``OWN_CALLS`` of its own.
        is_patient: Whether it would rather wait, up to the deadline, than be refused: it makes a file of the frames.
    """

    name: str = ""
    has_window: bool = False
    is_patient: bool = False


NOBODY = Client()

current: ContextVar[Client] = ContextVar("client", default=NOBODY)
"""Whose request is being answered."""


def ask_as(name: str, *, has_window: bool = False) -> None:
    """Have what is asked from here on, in this task and those it starts, be asked by a client; see ``Client``."""
    current.set(Client(name, has_window))


@contextlib.contextmanager
def patiently() -> Iterator[None]:
    """Have what this client asks in the block, and in tasks begun there, wait rather than be refused."""
    before = current.set(replace(current.get(), is_patient=True))
    try:
        yield
    finally:
        current.reset(before)


@dataclass(eq=False)
class _Line:
    """What one client waits for, of one urgency.

    Attributes:
        start: Where its next call begins, in calls that each client has had.
        place: Its place among all lines; None while it is empty.
        moved_s: When one was served or refused last.
        many_s: When it had many waiting last.
    """

    name: str
    is_urgent: bool
    start: float = 0.0
    place: tuple[bool, bool, float, int] | None = None
    moved_s: float = -math.inf
    many_s: float = -math.inf
    calls: deque[_Call] = field(default_factory=deque)

    @property
    def has_many(self) -> bool:
        """Whether it has, or had lately, many waiting."""
        return time.monotonic() - self.many_s < LATELY_S


@dataclass(eq=False)
class _Call:
    """A call that waits: for a lease, or the refusal."""

    kind: str
    line: _Line
    client: Client
    patience_s: float
    deadline_s: float
    lease: asyncio.Future[Lease]
    waited_s: float = 0.0
    timer: asyncio.TimerHandle | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is the next one of its line."""
        return self.line.calls[0] is self


class Turns:
    """Lends upstreams in turn: ``await turns.enter(...)``.

    Args:
        pick: Takes a kind of call; returns a lease, None where no upstream has room, or raises BridgeError where none
            is there to wait for.

    Attributes:
        waiting: How many calls wait.
    """

    def __init__(self, pick: Callable[[str], Lease | None]) -> None:
        self.waiting = 0
        self._pick = pick
        self._lines: dict[tuple[str, bool], _Line] = {}
        self._heap: list[tuple[tuple[bool, bool, float, int], _Line]] = []
        self._numbers = itertools.count()
        self._now = 0.0
        self._forget_at = FORGET_BEYOND
        self._refused = 0
        self._refused_s = -math.inf
        self._told_s = -math.inf
        self._empty_s = -math.inf

    async def enter(
        self, kind: str, patience_s: float, deadline_s: float, *, is_urgent: bool = False
    ) -> Lease:
        """Return a lease once it is this call's turn.

        Args:
            kind: What ``pick`` takes, and the refusal names: the model.
            patience_s: How long it may wait while other clients wait as well.
            deadline_s: How long it may wait in any case.
            is_urgent: Whether it comes before all that are not.

        Raises:
            Overloaded: If it has waited that long.
            BridgeError: If ``pick`` raises it.
        """
        client = current.get()
        line = self._line(client.name, is_urgent)
        if not self._heap:
            self._empty_s = time.monotonic()
            if (lease := self._pick(kind)) is not None:
                self._charge(line)
                return lease
        waits_longer = is_urgent or client.is_patient
        patience_s = deadline_s if waits_longer else patience_s
        lease_of = asyncio.get_running_loop().create_future()
        return await self._wait(_Call(kind, line, client, patience_s, deadline_s, lease_of))

    def wake(self) -> None:
        """Give out what has become free."""
        while (line := self._first()) is not None and self._serve(line):
            heapq.heappop(self._heap)
            line.place = None
            if line.calls:
                self._queue(line)

    def _first(self) -> _Line | None:
        """Return the line whose turn it is; None if nobody waits."""
        while self._heap:
            place, line = self._heap[0]
            _tidy(line)
            if place == line.place and line.calls:
                return line
            heapq.heappop(self._heap)
            if place == line.place:
                line.place = None
        self._empty_s = time.monotonic()
        return None

    def _serve(self, line: _Line) -> bool:
        """Give the line's first call its lease; return whether there was one."""
        call = line.calls[0]
        try:
            lease = self._pick(call.kind)
        except Exception as exc:  # is the call's to raise
            call.lease.set_exception(exc)
        else:
            if lease is None:
                return False
            call.lease.set_result(lease)
            self._charge(line)
        line.calls.popleft()
        return True

    async def _wait(self, call: _Call) -> Lease:
        self.waiting += 1
        self._line_up(call)
        self._look_later(call)
        self.wake()
        try:
            return await call.lease
        except asyncio.CancelledError:
            if not call.lease.cancelled() and call.lease.exception() is None:  # lent in the same moment
                call.lease.result().release()
            raise
        finally:
            self.waiting -= 1
            _tidy(call.line)
            if call.timer is not None:
                call.timer.cancel()

    def _line_up(self, call: _Call) -> None:
        line = call.line
        had_many = line.has_many
        line.calls.append(call)
        if len(line.calls) > FEW:
            line.many_s = time.monotonic()
        if line.place is None or line.has_many > had_many:
            self._queue(line)

    def _look_later(self, call: _Call) -> None:
        """Have it looked at whether the call may go on waiting, when it has waited long."""
        step_s = STAY * call.patience_s if call.waited_s and len(call.line.calls) > FEW else call.patience_s
        step_s = min(step_s, call.deadline_s - call.waited_s)
        call.timer = asyncio.get_running_loop().call_later(step_s, self._look, call, step_s)

    def _look(self, call: _Call, step_s: float) -> None:
        call.waited_s += step_s
        self.wake()  # calls that are stuck make room without a word
        if call.lease.done():
            return
        if call.waited_s < call.deadline_s and self._may_stay(call):
            self._look_later(call)
            return
        call.line.moved_s = time.monotonic()
        call.lease.set_exception(self._refusal(call.kind, call.waited_s))

    def _refusal(self, kind: str, waited_s: float) -> Overloaded:
        self._refused += 1
        self._refused_s = time.monotonic()
        if self._refused_s - self._told_s >= TELL_EVERY_S:
            logger.warning(
                "more is asked than Triton can answer: %d refused, %d wait", self._refused, self.waiting
            )
            self._refused, self._told_s = 0, self._refused_s
        return Overloaded(kind, waited_s)

    def _may_stay(self, call: _Call) -> bool:
        """Tell whether a call that has waited long may go on.

        It may where the queue is new, where it is next, where all that wait are its client's own, and where the client
        has many in flight and would only ask for the next: it is refused few at a time, or refusing would be all the
        bridge does.
        """
        now_s, line = time.monotonic(), call.line
        if now_s - self._empty_s < STANDING_S and now_s - self._refused_s > LATELY_S:
            return True
        if self._first() is line and call.is_first:
            return True
        if not call.client.has_window:
            return False
        if len(line.calls) > FEW and now_s - line.moved_s < STAY * call.patience_s:
            return True
        is_alone = all(other is line or not other.calls for _, other in self._heap)
        return is_alone and len(line.calls) <= OWN_CALLS

    def _line(self, name: str, is_urgent: bool) -> _Line:
        key = name, is_urgent
        if key not in self._lines:
            if len(self._lines) >= self._forget_at:
                self._forget()
            self._lines[key] = _Line(name, is_urgent)
        return self._lines[key]

    def _forget(self) -> None:
        self._lines = {
            key: line
            for key, line in self._lines.items()
            if line.place is not None or line.start > self._now + 1
        }
        self._forget_at = max(FORGET_BEYOND, 2 * len(self._lines))

    def _queue(self, line: _Line) -> None:
        line.start = max(line.start, self._now)
        line.place = not line.is_urgent, line.has_many, line.start, -next(self._numbers)
        heapq.heappush(self._heap, (line.place, line))

    def _charge(self, line: _Line) -> None:
        """Count one call of this client against it: time goes on by one for each, wherever there are no others."""
        start = max(line.start, self._now)
        if not line.is_urgent:
            self._now = start
        line.start = start + 1
        line.moved_s = time.monotonic()


def _tidy(line: _Line) -> None:
    """Drop calls at the head that nobody waits for any more, so that a line that is never served stays short."""
    while line.calls and line.calls[0].lease.done():
        line.calls.popleft()
