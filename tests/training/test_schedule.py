from __future__ import annotations

import pytest

from training.schedule import Budget, stage_at


def test_a_budget_of_steps() -> None:
    """Time does not count."""
    budget = Budget(steps=8)
    assert [budget.spent(step, 1e6) for step in (0, 2, 8, 9)] == [0, 0.25, 1, 1]


def test_a_budget_of_minutes() -> None:
    """Steps do not count."""
    budget = Budget(minutes=2)
    assert [budget.spent(1000, seconds) for seconds in (0, 30, 120, 150)] == [0, 0.25, 1, 1]


@pytest.mark.parametrize(
    ("spent", "expected"),
    [(0, (0, 0)), (0.1, (0, 0.5)), (0.2, (1, 0)), (0.25, (1, 0.5)), (0.65, (2, 0.5)), (1, (2, 1))],
)
def test_stages_by_share(spent: float, expected: tuple[int, float]) -> None:
    """Each stage begins where the shares before it end."""
    index, progress = stage_at(spent, (0.2, 0.1, 0.7))
    assert (index, progress) == (expected[0], pytest.approx(expected[1]))


def test_a_stage_may_be_left_out() -> None:
    """A share of zero is passed over."""
    assert stage_at(0, (0, 0.5, 0.5)) == (1, 0)
