"""What a fault cost: one line per fault, its goals, the table at the end and the same as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ALLOWANCE", "Goal", "Line", "format_table", "write_json"]

ALLOWANCE = 1.5
"""How far a time may exceed its goal before the line fails: a busy machine of two cores alone makes that much."""

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
    """

    fault: str
    frames: int
    failed: int
    wait_s: float
    normal_s: float | None
    remarks: str = ""
    misses: tuple[str, ...] = ()

    def missed(self, goal: Goal, allowance: float = ALLOWANCE) -> list[str]:
        """Return a sentence for every goal that is missed by more than the allowance."""
        found = list(self.misses)
        if self.failed > goal.failed:
            found.append(f"expected {goal.failed} failed frames, got {self.failed} of {self.frames}")
        if goal.wait_s is not None and self.wait_s > goal.wait_s * allowance:
            found.append(f"expected no wait over {goal.wait_s:g} s, got {self.wait_s:.2f} s")
        if goal.normal_s is not None and (self.normal_s is None or self.normal_s > goal.normal_s * allowance):
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
