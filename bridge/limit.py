"""How many calls one Triton may have at once: as many as keep it busy, and no more, found out by what they take.

A server that computes two frames at a time answers no more of them a second when twenty wait in its queue; each only
takes ten times as long, and those who asked may be gone. So the limit grows while calls that fill it take about as long
as they do alone, and shrinks when they take much longer. What they take alone is tried out now and then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

__all__ = ["Limit"]

FIRST = 4
LEAST = 1
MOST = 128

TOLERATED = 1.75
"""Times what a call takes alone."""

NEVER_SLOW_S = 0.025
"""Calls that take no more are not held back, whatever they take alone: one busy moment of a core makes as much."""

QUICK_UP_TO = 32
"""To here the limit doubles where calls are never slow."""

GROWTH = 1 / 8
LEAST_GROWTH = 0.5
LEAST_LEFT = 0.5
"""Of the limit, however slow calls have become from one look at them to the next."""

LEFT_AFTER_REFUSAL = 0.75
WINDOW_S, WINDOW_CALLS = 0.1, 8
LONG_WINDOW_S, FEW_CALLS = 0.5, 3
"""So much is looked at together: many calls, or of a slow server those of some time."""

TRIAL_CALLS = 3
TRIAL_EVERY_S = 30.0
"""How old what is known of a kind of call may become, where the limit is reached: a trial takes a moment's work."""

RETRIAL_S = 3.0
"""The same, where even the fewest calls take long."""

STUCK = 4.0
"""Times what calls usually take, after which one is stuck: it keeps nothing busy, and others need not wait for it."""

LEAST_STUCK_S = 1.0
MAX_KINDS = 256

Window = Sequence[tuple[str, float]]


class _Kind:
    """What is known of one kind of call."""

    def __init__(self, alone_s: float) -> None:
        self.alone_s = alone_s
        self.tried_s = -math.inf


class Limit:
    """The limit of one upstream."""

    def __init__(self) -> None:
        self._size = float(FIRST)
        self._kinds: dict[str, _Kind] = {}
        self._window: list[tuple[str, float]] = []
        self._since_s = time.monotonic()
        self._was_reached = False
        self._trial: list[tuple[str, float]] | None = None
        self._is_alone = False
        self._usual_s = 0.0

    @property
    def stuck_s(self) -> float:
        """Return how long a call may be under way and count: a model that hangs must not block all others."""
        return max(LEAST_STUCK_S, STUCK * self._usual_s)

    @property
    def calls(self) -> int:
        """How many may be in flight; one during a trial."""
        return int(self._size) if self._trial is None else 1

    def has_room(self, inflight: int) -> bool:
        """Tell whether one more call may be in flight; where it may not, the limit proves to be one."""
        if inflight < self.calls:
            self._is_alone = not inflight
            return True
        self._was_reached = True
        return False

    def alone_s(self, kind: str) -> float:
        """Return what a call of this kind takes where no other is in its way; 0 while that is unknown."""
        known = self._kinds.get(kind)
        return 0.0 if known is None else known.alone_s

    def note_refusal(self) -> None:
        """Note that Triton's own queue was full: it has fewer places than the limit."""
        self._size = max(LEAST, self._size * LEFT_AFTER_REFUSAL)

    def note(self, kind: str, latency_s: float) -> None:
        """Note what an answered call took; now and then the limit follows."""
        if self._trial is not None:
            self._try(kind, latency_s)
            return
        self._window.append((kind, latency_s))
        now_s = time.monotonic()
        passed_s = now_s - self._since_s
        is_enough = len(self._window) >= WINDOW_CALLS and passed_s >= WINDOW_S
        if not is_enough and (len(self._window) < FEW_CALLS or passed_s < LONG_WINDOW_S):
            return
        window, self._window = self._window, []
        self._since_s = now_s
        self._usual_s = sorted(latency_s for _, latency_s in window)[len(window) // 2]
        self._learn(window)
        if self._was_reached:
            self._adjust(window)
        self._was_reached = False

    def _try(self, kind: str, latency_s: float) -> None:
        assert self._trial is not None
        if not self._is_alone:  # one of those that were under way when the trial began
            return
        self._trial.append((kind, latency_s))
        if len(self._trial) < TRIAL_CALLS:
            return
        for kind in {kind for kind, _ in self._trial}:
            taken = sorted(latency_s for its_kind, latency_s in self._trial if its_kind == kind)
            self._know(kind, taken[0]).alone_s = taken[len(taken) // 2]
            self._kinds[kind].tried_s = time.monotonic()
        self._trial = None

    def _learn(self, window: Window) -> None:
        for kind in {kind for kind, _ in window}:
            taken = sorted(latency_s for its_kind, latency_s in window if its_kind == kind)
            quick_s = taken[len(taken) // 4]
            known = self._know(kind, quick_s)
            known.alone_s = min(known.alone_s, quick_s)

    def _know(self, kind: str, alone_s: float) -> _Kind:
        known = self._kinds.pop(kind, None) or _Kind(alone_s)
        if len(self._kinds) >= MAX_KINDS:
            del self._kinds[next(iter(self._kinds))]
        self._kinds[kind] = known
        return known

    def _adjust(self, window: Window) -> None:
        ratios = sorted(latency_s / self._unhurried_s(kind) for kind, latency_s in window)
        slowness = ratios[len(ratios) // 2]
        if self._may_be_wrong(window, slowness > TOLERATED and self._size <= LEAST):
            self._trial, self._is_alone = [], False
        elif slowness > TOLERATED:
            self._size = max(LEAST, self._size * max(LEAST_LEFT, TOLERATED / slowness))
        elif self._usual_s <= NEVER_SLOW_S and self._size < QUICK_UP_TO:
            self._size *= 2
        else:
            self._size = min(MOST, self._size + max(LEAST_GROWTH, self._size * GROWTH))

    def _unhurried_s(self, kind: str) -> float:
        return max(self._kinds[kind].alone_s, NEVER_SLOW_S / TOLERATED)

    def _may_be_wrong(self, window: Window, is_at_its_least: bool) -> bool:
        """Tell whether what is known of the slow calls of a window is to be tried out."""
        if self._usual_s <= NEVER_SLOW_S:
            return False
        oldest_s = time.monotonic() - (RETRIAL_S if is_at_its_least else TRIAL_EVERY_S)
        return any(self._kinds[kind].tried_s <= oldest_s for kind, _ in window)
