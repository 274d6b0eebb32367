"""One run: its steps one after another, each finding kept at once, the time divided, and the goals beside it all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.errors import NotAvailable
from benchmarks.gpu.budget import Budget, Step
from benchmarks.gpu.goals import goals
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.process import DONE, run_step
from benchmarks.gpu.schedule import (
    AVATAR,
    FIRST,
    backend_steps,
    backends,
    engine_steps,
    further_engine_steps,
    hybrid_step,
    variant_steps,
)
from benchmarks.gpu.settings import Settings
from benchmarks.table import to_markdown

__all__ = ["Run", "run"]

SKIPPED = "skipped"


def run(settings: Settings, output: Path, head: str, only: Sequence[str] = ()) -> int:
    """Measure all there is time for; return 0 if any step but the first ones was done, else 1.

    Args:
        settings: What to measure.
        output: Where results go.
        head: The first line of the report.
        only: Parts of names of steps, of which one has to be in a step's name; none: all. The first ones always run.

    Raises:
        NotAvailable: If there is no card, once the report says so.
    """
    this = Run(settings, Journal(output, head), Budget(60 * settings.minutes))
    for step in FIRST:
        this.make(step)
        if "no card" in this.found:
            raise NotAvailable("all that needs a card", str(this.found["no card"]))
    _measure(this, only)
    print(f"\n{to_markdown(this.journal.rows['goals'])}\n{this.journal.markdown}: the tables", flush=True)
    return 0 if this.done > len(FIRST) else 1


def _measure(this: Run, only: Sequence[str]) -> None:
    """Make all steps but the first ones, the most important first."""
    usable = [library["name"] for library in this.found.get("libraries", []) if not library["missing"]]
    bounds = this.found.get("bounds", {})

    def make(steps: Iterable[Step]) -> None:
        for step in steps:
            if not only or any(text in step.name for text in only):
                this.make(step)

    make(engine_steps(this.settings, usable, bounds))
    known = backends(usable, this.journal)
    make([AVATAR] if known else [])
    untried, serving = list(known), None
    while untried and serving is None:
        backend = untried.pop(0)
        make([hybrid_step(backend, known[backend])])
        serves = bool(only) or bool(this.journal.values("served", "frames/s", backend=backend))
        serving = backend if serves else None
    next_ones, last_ones = backend_steps(this.settings, serving, known[serving]) if serving else ([], [])
    float32, others = further_engine_steps(this.settings, usable, bounds)
    hybrids = [hybrid_step(backend, known[backend]) for backend in untried]
    make([*next_ones, *hybrids, *variant_steps(this.settings, known), *float32, *last_ones, *others])


class Run:
    """What a run has come to.

    Args:
        settings: What to measure.
        journal: Keeps it.
        budget: Of its time.

    Attributes:
        found: What steps told that others depend on.
        done: How many steps were.
    """

    def __init__(self, settings: Settings, journal: Journal, budget: Budget) -> None:
        self.settings, self.journal, self.budget = settings, journal, budget
        self.found: dict[str, Any] = {}
        self.done = 0
        self._set_goals()

    def make(self, step: Step) -> None:
        """Run a step if there is time, and keep a line on how it ended, whatever that was."""
        limit_s = self.budget.limit_s(step)
        if limit_s is None:
            self._end(step, SKIPPED, 0.0, f"{max(0.0, self.budget.left_s):.0f} s were left")
            return
        print(f"{self.budget.used_s:5.0f} s  {step.name} …", flush=True)
        outcome = run_step(step, self.settings, limit_s, self._take)
        self.journal.add_log(step.name, outcome.log)
        self.done += outcome.state == DONE
        self._end(step, outcome.state, outcome.seconds, outcome.reason)

    def _take(self, message: dict[str, Any]) -> None:
        if "key" in message:
            self.found[message["key"]] = message["value"]
        elif "row" in message:
            self.journal.add_row(message["table"], message["row"])
            self._set_goals()
            print(f"         {'  '.join(map(_short, message['row'].values()))}", flush=True)
        else:
            self.journal.add_note(message["table"], message["note"])

    def _end(self, step: Step, state: str, seconds: float, reason: str) -> None:
        self.journal.add_row(
            "steps", {"step": step.name, "state": state, "seconds": round(seconds, 1), "why": reason}
        )
        if reason:
            print(f"         {step.name}: {state}: {reason}", flush=True)

    def _set_goals(self) -> None:
        self.journal.set_rows("goals", goals(self.journal, self.settings.rate))


def _short(cell: object) -> str:
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)
