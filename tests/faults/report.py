"""What a fault cost: one line per fault, its goals, the table at the end and the same as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ALLOWANCE", "JUDGED", "Goal", "Line", "format_table", "write_json"]

ALLOWANCE = 1.5
"""How far a time may exceed its goal before the line fails: a busy machine of two cores alone makes that much."""

FAILED_SHARE = 0.05
"""Of the frames that fell due may fail, and one more, where only the outcome is judged: a machine that stalls fails
some by itself."""

JUDGED = ("times", "outcome")
"""``times``: every goal. ``outcome``: what no machine is too slow for, which is what CI can judge on a machine that
others share: that what broke is repaired, that viewers go on, that nothing wrong is shown and nothing grows."""

HEADINGS = ("fault", "failed frames", "longest wait", "until normal", "remarks")


@dataclass(frozen=True)
class Goal:
    """What is promised.

    Attributes:
        failed: Frames that may fail; exact.
        wait_s: The longest that any viewer may wait for a frame; None where nothing is promised.
        normal_s: How soon all frames must be on time again, and what broke repaired; None as above.
    """

    failed: int = 0
    wait_s: float | None = 0.5
    normal_s: float | None = 10.0


@dataclass(frozen=True)
class Line:
    """One fault and what it cost.

    Attributes:
        fault: What was done.
        frames: Asked for from the fault on.
        failed: Answered with an error, or never.
        wait_s: The longest wait of any viewer, from when a frame was due to when it came.
        normal_s: From the fault to when every frame came on time again and all was repaired; None if it never was.
        remarks: Further figures.
        misses: Goals of its own that it missed, each a sentence.
        slow: The same of goals that are times or rates.
    """

    fault: str
    frames: int
    failed: int
    wait_s: float
    normal_s: float | None
    remarks: str = ""
    misses: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()

    def missed(self, goal: Goal, judged: str = "times") -> list[str]:
        """Return a sentence for every goal that is missed by more than noise; ``judged`` is one of ``JUDGED``."""
        found = list(self.misses)
        outcome_only = judged == "outcome"
        if self.failed > max(goal.failed, 1 + FAILED_SHARE * self.frames if outcome_only else 0):
            found.append(f"expected {goal.failed} failed frames, got {self.failed} of {self.frames}")
        if goal.normal_s is not None and self.normal_s is None:
            found.append(f"expected normal within {goal.normal_s:g} s, got never")
        return found if outcome_only else found + self._slow(goal)

    def _slow(self, goal: Goal) -> list[str]:
        """Return a sentence for every goal that is a time and missed by more than the allowance."""
        found = list(self.slow)
        if goal.wait_s is not None and self.wait_s > goal.wait_s * ALLOWANCE:
            found.append(f"expected no wait over {goal.wait_s:g} s, got {self.wait_s:.2f} s")
        if goal.normal_s is not None and (self.normal_s or 0.0) > goal.normal_s * ALLOWANCE:
            found.append(f"expected normal within {goal.normal_s:g} s, got {_seconds(self.normal_s)}")
        return found

    def cells(self) -> tuple[str, ...]:
        """Return the line as the table has it."""
        failed = f"{self.failed} of {self.frames}"
        return (self.fault, failed, _seconds(self.wait_s), _seconds(self.normal_s), self.remarks)


def format_table(lines: Sequence[Line]) -> str:
    """Return a Markdown table, its columns as wide as they need to be."""
    rows = [HEADINGS, *(line.cells() for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [rows[0], rule, *rows[1:]]
    )


def write_json(lines: Sequence[Line], path: Path) -> None:
    """Write the lines as a list of objects."""
    path.write_text(json.dumps([dataclasses.asdict(line) for line in lines], indent=1) + "\n")


def _seconds(duration_s: float | None) -> str:
    return "never" if duration_s is None else f"{duration_s:.2f} s"
