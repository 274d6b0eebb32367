"""How long calls usually take, by kind, so that one which takes much longer can be told while it is still waited for.

A cached frame takes a millisecond and a painted one a hundred, on the same server: a fixed limit fits neither.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Latencies"]

SAMPLES = 128
"""Calls that are remembered, of each kind."""

SORT_EVERY = 8
MAX_KINDS = 256
USUAL_QUANTILE = 0.95

LATE_FACTOR = 2.0
"""A call is late when it has taken this many times as long as all but the slowest twentieth do."""

LEAST_LATE_S = 0.05
"""No call is late sooner: a garbage collection or a busy core is no reason to ask twice."""

UNKNOWN_LATE_S = 0.25
"""When a call is late of whose kind nothing is known yet."""


class _Kind:
    """Calls of one kind: the latest, and what was last computed of them."""

    def __init__(self) -> None:
        self.samples: deque[float] = deque(maxlen=SAMPLES)
        self.added = 0
        self.late_s = UNKNOWN_LATE_S
        self.usual_s = UNKNOWN_LATE_S

    def add(self, latency_s: float) -> None:
        self.samples.append(latency_s)
        self.added += 1
        if self.added % SORT_EVERY == 0:
            ordered = sorted(self.samples)
            self.usual_s = ordered[len(ordered) // 2]
            self.late_s = max(LEAST_LATE_S, LATE_FACTOR * ordered[int(USUAL_QUANTILE * len(ordered))])


class Latencies:
    """What the answered calls of all upstreams took, by kind."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def add(self, kind: str, latency_s: float) -> None:
        """Note what an answered call took; where there are too many kinds, the oldest is forgotten."""
        if kind not in self._kinds:
            if len(self._kinds) >= MAX_KINDS:
                del self._kinds[next(iter(self._kinds))]
            self._kinds[kind] = _Kind()
        self._kinds[kind].add(latency_s)

    def late_s(self, kind: str) -> float:
        """Return how long a call of that kind may take before it is worth asking another upstream, too."""
        known = self._kinds.get(kind)
        return UNKNOWN_LATE_S if known is None else known.late_s

    def usual_s(self, kind: str) -> float:
        """Return what half of the calls of that kind do not exceed."""
        known = self._kinds.get(kind)
        return UNKNOWN_LATE_S if known is None else known.usual_s
