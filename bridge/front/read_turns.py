"""Whose input is looked at next: that of the client which has cost least so far, and of its connections likewise.

What arrives is not looked at as it arrives, else a client that floods would have the event loop to itself, and a
thousand such clients would keep everybody else waiting. Each connection has its turn, a short one; then the loop goes
on with everything else. Who has been quiet comes first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from abc import ABC, abstractmethod
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

__all__ = ["Line", "ReadTurns", "Taker"]

RUN_S = 0.001
RUN_COST = 20.0
"""How long, and how much, is looked at before the loop goes on; a message costs 1."""

CREDIT = 20.0
"""How far a connection that was quiet comes before one that is new."""

FORGIVEN_PER_S = 200.0
"""How much of what it has cost is forgiven a connection while it is quiet; one that floods never is."""


class _Member:
    """One that waits for turns, a connection or all of a client's.

    Attributes:
        spent: What it has cost, None as long as it has had no turn.
        quiet_since_s: Since when it has nothing to look at; infinite where it has, and only has to wait with it.
        is_waiting: Whether it waits for a turn.
    """

    spent: float | None = None
    quiet_since_s = 0.0
    is_waiting = False


Someone = TypeVar("Someone", bound=_Member)


class _Order(Generic[Someone]):
    """Those that wait, whoever has cost least first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Someone]] = []
        self._numbers = itertools.count()
        self._clock = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, member: Someone) -> None:
        """Have one wait that did not."""
        if member.is_waiting:
            return
        if member.spent is None:
            # with those who come next: else a new one would wait until all had come as far as the last one did
            member.spent = max(self._heap[0][0], self._clock - CREDIT) if self._heap else self._clock
        else:
            quiet_s = max(0.0, time.perf_counter() - member.quiet_since_s)
            member.spent = max(member.spent - FORGIVEN_PER_S * quiet_s, self._clock - CREDIT)
        self._push(member)

    def take(self) -> Someone:
        """Return the next one, which waits no more."""
        spent, _, member = heapq.heappop(self._heap)
        self._clock = max(self._clock, spent)
        member.is_waiting = False
        return member

    def put_back(self, member: Someone, cost: float, has_more: bool, is_quiet: bool) -> None:
        """Note what its turn has cost, and have it wait for the next one if it has more to look at."""
        assert member.spent is not None
        member.spent += cost
        if has_more and not member.is_waiting:
            self._push(member)
        elif not has_more:
            member.quiet_since_s = time.perf_counter() if is_quiet else math.inf

    def _push(self, member: Someone) -> None:
        assert member.spent is not None
        member.is_waiting = True
        heapq.heappush(self._heap, (member.spent, next(self._numbers), member))


class Taker(_Member, ABC):
    """One whose input is looked at in turns.

    Attributes:
        line: All of its client's.
    """

    line: Line | None = None

    @property
    @abstractmethod
    def is_quiet(self) -> bool:
        """Whether it has nothing to look at, not even later."""

    @abstractmethod
    def take_turn(self) -> tuple[float, bool]:
        """Look at a little, and return what it cost and whether there is more; raises nothing."""


class Line(_Member):
    """The connections of one client that wait for turns."""

    def __init__(self) -> None:
        self.order: _Order[Taker] = _Order()


class ReadTurns:
    """The turns of all connections: of the clients, and among each one's connections."""

    def __init__(self) -> None:
        self._lines: WeakValueDictionary[str, Line] = WeakValueDictionary()
        self._order: _Order[Line] = _Order()
        self._is_due = False

    def line_of(self, client: str) -> Line:
        """Return the line of a client's connections, as long as one of them holds it."""
        line = self._lines.get(client)
        if line is None:
            line = self._lines[client] = Line()
        return line

    def ask(self, taker: Taker) -> None:
        """Have a turn given to one that has got something to look at."""
        assert taker.line is not None
        taker.line.order.add(taker)
        self._order.add(taker.line)
        self._go_on()

    def _go_on(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_due = False
        until_s, room = time.perf_counter() + RUN_S, RUN_COST
        while self._order and room > 0 and time.perf_counter() < until_s:
            room -= self._give_one(self._order.take())
        if self._order:
            self._go_on()

    def _give_one(self, line: Line) -> float:
        taker = line.order.take()
        cost, has_more = taker.take_turn()
        line.order.put_back(taker, cost, has_more, taker.is_quiet)
        self._order.put_back(line, cost, len(line.order) > 0, True)
        return cost
