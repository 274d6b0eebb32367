"""benchmarks/plan.py; its parts run in test_main.py"""

import pytest

from benchmarks.plan import FULL, PARTS, QUICK, goal
from benchmarks.stages.measure import WARM_UP_SHARE
from benchmarks.stages.models import STAGES
from export.repository.strategies import STRATEGIES


@pytest.mark.parametrize(
    ("value", "at_most", "said"),
    [
        (0.96, False, "share: 0.96 (goal: at least 0.95): met"),
        (0.94, False, "share: 0.94 (goal: at least 0.95): missed"),
        (0.9488, False, "share: 0.949 (goal: at least 0.95): missed"),
        (0.94, True, "share: 0.94 (goal: at most 0.95): met"),
    ],
)
def test_goals(value, at_most, said):
    """A figure is said with what it is held to, and whether it holds."""
    assert goal("share", value, 0.95, at_most) == said


def test_full_plan_covers_the_strategies():
    """The full run sweeps every strategy at 8 callers among others, on the full-width network."""
    assert set(FULL.strategies) == set(STRATEGIES)
    assert 8 in FULL.concurrencies
    assert (FULL.width, FULL.clients, FULL.soak_s) == (1.0, (200, 50), 60.0)


def test_quick_is_quick():
    """The quick run has the same parts and a tenth of the time."""
    assert QUICK.soak_s + QUICK.replay_s < (FULL.soak_s + FULL.replay_s) / 10
    assert set(PARTS) == {
        *("compare", "overhead", "sweep", "replay", "soak", "endurance", "scaling", "live", "stages")
    }


def test_stages_take_three_minutes_at_most():
    """Each case of the stages is warmed up for a quarter of its time; all of the full run are over in time."""
    cases = len(STAGES) * len(FULL.stage_batches) * len(FULL.stage_instances)
    assert cases * FULL.stage_s * (1 + WARM_UP_SHARE) < 160
    assert FULL.stage_batches == (1, 8, 16, 32)
