"""Whose input is looked at next: that of the connection which has cost least so far.

What arrives is not looked at as it arrives, else a client that floods would have the event loop to itself, and a
thousand such clients would keep everybody else waiting. Each connection has its turn, a short one; then the loop goes
on with everything else. Who has been quiet comes first.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from abc import ABC, abstractmethod

__all__ = ["Taker", "Turns"]

RUN_S = 0.001
RUN_COST = 20.0
"""How long, and how much, is looked at before the loop goes on; a message costs 1."""

CREDIT = 20.0
"""How much of its quiet time a connection may make up for."""


class Taker(ABC):
    """One whose input is looked at in turns."""

    spent: float | None = None
    is_waiting = False

    @abstractmethod
    def take_turn(self) -> tuple[float, bool]:
        """Look at a little, and return what it cost and whether there is more; raises nothing."""


class Turns:
    """The turns of all connections."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, Taker]] = []
        self._numbers = itertools.count()
        self._clock = 0.0
        self._is_due = False

    def ask(self, taker: Taker) -> None:
        """Have a turn given to one that has got something to look at."""
        if taker.is_waiting:
            return
        taker.is_waiting = True
        # who is new comes after those who were quiet, else a thousand new ones would keep them waiting
        spent = self._clock + CREDIT if taker.spent is None else max(taker.spent, self._clock - CREDIT)
        heapq.heappush(self._waiting, (spent, next(self._numbers), taker))
        self._go_on()

    def _go_on(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._is_due = False
        until_s, room = time.perf_counter() + RUN_S, RUN_COST
        while self._waiting and room > 0 and time.perf_counter() < until_s:
            spent, _, taker = heapq.heappop(self._waiting)
            taker.is_waiting = False
            self._clock = max(self._clock, spent)
            cost, has_more = taker.take_turn()
            room -= cost
            taker.spent = spent + cost
            if has_more:
                self.ask(taker)
        if self._waiting:
            self._go_on()
