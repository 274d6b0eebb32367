"""What the project wants of a card, beside what was found. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.gpu.journal import Journal
from benchmarks.table import Row

__all__ = ["goals"]

FRAMES_PER_S = 10_000
SHARE_OF_ENGINE = 0.8
P99_MS = 10.0
SESSIONS = 200
OVER_PCIE = "over PCIe"


def goals(journal: Journal, rate: float) -> list[Row]:
    """Return a row for each goal: what is wanted, what was found so far, and whether it is met.

    Args:
        journal: Of the run.
        rate: The frames per second at which latency is asked about.
    """
    end_to_end = journal.values("served", "frames/s", strategy="hybrid")
    share = journal.values("served", "of the engine", strategy="hybrid")
    p99_ms = journal.values("open", "p99_ms", **{"asked, frames/s": rate})
    sessions = journal.values("live", "sessions", carried="yes")
    return [
        _row("frames/s end to end, H200, at least", FRAMES_PER_S, end_to_end, False),
        _row("of the engine alone, at least", SHARE_OF_ENGINE, share, False),
        _row(f"p99 at {rate:g} frames/s, ms, at most", P99_MS, p99_ms, True),
        _row("live sessions at 25 frames/s, at least", SESSIONS, sessions, False),
    ]


def _row(name: str, wanted: float, found: Sequence[float], at_most: bool) -> Row:
    if not found:
        return {"goal": name, "wanted": wanted, "found": "not measured", "met": ""}
    best = min(found) if at_most else max(found)
    is_met = best <= wanted if at_most else best >= wanted
    return {"goal": name, "wanted": wanted, "found": best, "met": "yes" if is_met else "no"}
