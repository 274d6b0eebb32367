"""tests/faults/report.py: a goal that is missed fails, and noise does not."""

import json
from pathlib import Path

import pytest

from tests.faults.report import ALLOWANCE, Goal, Line, format_table, write_json

GOAL = Goal(failed=0, wait_s=0.5, normal_s=2.0)


def test_all_goals_met() -> None:
    """Times may exceed their goals by the allowance, and no more."""
    assert Line("kill", 10, 0, 0.5 * ALLOWANCE, 2.0 * ALLOWANCE).missed(GOAL) == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (Line("kill", 10, 1, 0.1, 0.0), "expected 0 failed frames, got 1 of 10"),
        (Line("kill", 10, 0, 0.76, 0.0), "expected no wait over 0.5 s, got 0.76 s"),
        (Line("kill", 10, 0, 0.1, 3.01), "expected normal within 2 s, got 3.01 s"),
        (Line("kill", 10, 0, 0.1, None), "expected normal within 2 s, got never"),
        (Line("kill", 10, 0, 0.1, 0.0, misses=("expected more",)), "expected more"),
    ],
)
def test_a_missed_goal(line: Line, sentence: str) -> None:
    """Each goal that is missed is a sentence."""
    assert line.missed(GOAL) == [sentence]


@pytest.mark.parametrize(
    ("line", "sentences"),
    [
        (Line("kill", 100, 6, 9.0, 30.0, slow=("expected less",)), []),
        (Line("kill", 100, 7, 0.1, 0.0), ["expected 0 failed frames, got 7 of 100"]),
        (Line("kill", 100, 0, 0.1, None), ["expected normal within 2 s, got never"]),
        (Line("kill", 100, 0, 0.1, 0.0, misses=("expected more",)), ["expected more"]),
    ],
)
def test_the_outcome_alone(line: Line, sentences: list[str]) -> None:
    """Where times are not judged, a twentieth of the frames may fail, but what broke has to be repaired."""
    assert line.missed(GOAL, "outcome") == sentences


def test_a_slow_line() -> None:
    """A time that a line has a goal of its own for is judged with the others."""
    assert Line("kill", 10, 0, 0.1, 0.0, slow=("expected less",)).missed(GOAL) == ["expected less"]


def test_nothing_is_promised() -> None:
    """Where no time is promised, none is missed."""
    assert Line("kill", 10, 0, 60.0, None).missed(Goal(wait_s=None, normal_s=None)) == []


def test_table_and_json(tmp_path: Path) -> None:
    """The table has a row for each line, and the JSON its figures."""
    line = Line("kill", 10, 1, 0.25, None, "for ever")
    assert format_table([line]).splitlines() == [
        "| fault | failed frames | longest wait | until normal | remarks  |",
        "| ----- | ------------- | ------------ | ------------ | -------- |",
        "| kill  | 1 of 10       | 0.25 s       | never        | for ever |",
    ]
    write_json([line], tmp_path / "faults.json")
    (written,) = json.loads((tmp_path / "faults.json").read_text())
    assert (written["fault"], written["failed"], written["normal_s"]) == ("kill", 1, None)
