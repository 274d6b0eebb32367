"""benchmarks/gpu/process.py and step.py: what becomes of steps of every kind"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks.gpu import process
from benchmarks.gpu.budget import Step
from benchmarks.gpu.process import DONE, FAILED, LATE, Outcome, run_step
from benchmarks.gpu.settings import STAND_IN, Settings

MODULE = "tests.benchmarks.gpu.steps.stand_in_steps"
SETTINGS = Settings(site="/nowhere", device=STAND_IN)
ROW = {"table": "engine", "row": {"batch": 1, "device": STAND_IN}}


def run(how: str, limit_s: float = 60.0) -> tuple[Outcome, list[dict[str, object]]]:
    told: list[dict[str, object]] = []
    return run_step(Step(how, MODULE, 1.0, {"how": how}), SETTINGS, limit_s, told.append), told


@pytest.mark.parametrize(
    ("how", "state", "reason"),
    [
        ("done", DONE, ""),
        ("fail", FAILED, "this step is skipped: of no use"),
        ("fail otherwise", FAILED, "ValueError: 7"),
        ("die", FAILED, "its process was ended by SIGSEGV"),
        ("leave", FAILED, "SystemExit: 0"),
        ("unknown", FAILED, "KeyError: 'unknown'"),
    ],
)
def test_how_a_step_ends(how: str, state: str, reason: str) -> None:
    """A step that fails, or whose process dies, is one line; what it found before stays, and what it said is kept."""
    outcome, told = run(how)
    assert (outcome.state, outcome.reason) == (state, reason)
    assert told == [ROW]
    assert outcome.log.startswith("on the way")


def test_a_step_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that waits in a call and ignores SIGTERM is killed at its limit, with its children; its row stays."""
    monkeypatch.setattr(process, "END_LIMIT_S", 0.3)
    start_s = time.monotonic()
    outcome, told = run("hang", limit_s=5.0)
    assert time.monotonic() - start_s < 15
    assert (outcome.state, outcome.reason) == (LATE, "it took more than 5 s")
    assert told == [ROW]
    assert "child" in outcome.log
    assert not any(_is_of_the_step(path) for path in Path("/proc").glob("[0-9]*"))


def test_a_module_that_cannot_be_imported() -> None:
    """What a step lacks is its own reason."""
    outcome = run_step(Step("lost", "benchmarks.gpu.absent", 1.0), SETTINGS, 60.0, lambda message: None)
    assert (outcome.state, outcome.reason) == (
        FAILED,
        "ModuleNotFoundError: No module named 'benchmarks.gpu.absent'",
    )


def test_ctrl_c_ends_the_step() -> None:
    """Whatever interrupts the run while it listens, the step's process does not outlive it."""

    def interrupt(message: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(Step("hang", MODULE, 1.0, {"how": "hang"}), SETTINGS, 60.0, interrupt)
    assert not any(_is_of_the_step(path) for path in Path("/proc").glob("[0-9]*"))


def _is_of_the_step(process: Path) -> bool:
    try:
        words = (process / "cmdline").read_bytes()
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and (MODULE.encode() in words or b"print('child'" in words)
