"""What clients of a simulation saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from benchmarks.statistics import percentile

__all__ = ["MOST_LATE_S", "MOST_MISSING", "Outcome"]

MOST_MISSING = 0.01
MOST_LATE_S = 0.2
"""A load is carried if 1 % is missing at most, and 95 % of the others are 0.2 s late at most; as in ``live.py``."""


@dataclass
class Outcome:
    """Frames, or pictures, that were asked for and what became of them.

    Attributes:
        seconds: How long it was measured.
        asked: Frames that were asked for.
        codes: How they were answered: ``ok`` or the error's code; ``late`` where a picture was left out.
        latencies_s: Of good ones: from when each was asked for, or was due, to when it came.
        queue_s: The mean time that networks' requests waited in Triton.
        hit_share: Frames from the response cache, of all.
    """

    seconds: float = 0.0
    asked: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    queue_s: float = 0.0
    hit_share: float = 0.0

    def note(self, code: str, latency_s: float) -> None:
        """Note an answer."""
        self.codes[code] += 1
        if code == "ok":
            self.latencies_s.append(latency_s)

    @property
    def good(self) -> int:
        """How many came."""
        return self.codes["ok"]

    @property
    def frames_per_s(self) -> float:
        """How many came a second."""
        return self.good / self.seconds

    @property
    def missing(self) -> float:
        """The share of frames that did not come."""
        return (self.asked - self.good) / self.asked if self.asked else 0.0

    @property
    def is_carried(self) -> bool:
        """Whether nearly all frames came, and in time."""
        return self.good > 0 and self.missing <= MOST_MISSING and self.quantile_ms(0.95) <= MOST_LATE_S * 1000

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the latencies, in milliseconds; 0 where nothing came."""
        return percentile(self.latencies_s, share) * 1000 if self.latencies_s else 0.0
