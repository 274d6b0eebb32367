"""benchmarks/simulation/autoscaler.py: what Kubernetes' documentation says the autoscaler does"""

import pytest

from benchmarks.simulation.autoscaler import Autoscaler, Burst, Fleet, run_fleet

STEADY = Burst(before=40, during=40, begin_s=1e9, end_s=1e9)
BURST = Burst(before=20, during=100, end_s=2100)


def scaler(**options):
    options = {"metric": lambda fleet: fleet.load / 0.7} | options
    return Autoscaler(**options)


def by(fleet, time_s, column):
    return next(line[column] for line in fleet.history if line[0] >= time_s)


def test_offered_sessions_are_the_rate_by_the_time():
    """Without a limit, sessions at once are what Little's law says, and all are admitted at once."""
    fleet = run_fleet(Fleet(100.0, 10), None, STEADY, 1.0, 3000)
    going = [line[2] for line in fleet.history if line[0] > 600]
    assert sum(going) / len(going) == pytest.approx(40, rel=0.15)
    assert set(fleet.waits_s) == {0.0}
    assert fleet.came == len(fleet.waits_s) + fleet.lost


def test_within_the_tolerance_nothing_is_done():
    """A metric up to 10 % off its target changes nothing, one beyond does."""
    near = run_fleet(Fleet(10.0, 4), scaler(metric=lambda _: 1.09), STEADY, 1.0, 600)
    far = run_fleet(Fleet(10.0, 4), scaler(metric=lambda _: 1.3), STEADY, 1.0, 16)
    assert near.ready == 4
    assert far.ready + far.starting == 6  # ceil(1.3 x 4)


def test_no_more_than_may_be_added():
    """At once as many as there are are added, or four pods, whichever is more; and never more than the most."""
    small = run_fleet(Fleet(10.0, 2), scaler(metric=lambda _: 9.0), STEADY, 100.0, 16)
    large = run_fleet(Fleet(10.0, 10), scaler(metric=lambda _: 9.0), STEADY, 100.0, 16)
    bound = run_fleet(Fleet(10.0, 10), scaler(metric=lambda _: 9.0, most=12), STEADY, 100.0, 16)
    assert [fleet.starting for fleet in (small, large, bound)] == [4, 10, 2]


def test_those_that_start_are_counted():
    """While those that were asked for start, the same load asks for no more of them."""
    fleet = run_fleet(Fleet(10.0, 2), scaler(metric=lambda fleet: 6 / fleet.ready), STEADY, 1e6, 200)
    assert fleet.ready + fleet.starting == 6


def test_downwards_after_five_minutes():
    """The greatest wish of the last five minutes holds, so it goes down as late after the burst's end."""
    fleet = run_fleet(Fleet(10.0, 3), scaler(), BURST, 5.0, 4000)
    most = by(fleet, BURST.end_s, 3)
    assert by(fleet, BURST.end_s + 250, 3) >= most - 1
    assert by(fleet, BURST.end_s + 1500, 3) < most / 2


@pytest.mark.parametrize(("start_s", "most_lost"), [(5.0, 0.0), (200.0, 0.4)])
def test_a_burst(start_s, most_lost):
    """Where Tritons start in seconds nobody gives up; where they take minutes, some do, and without them most."""
    fleet = run_fleet(Fleet(10.0, 3), scaler(), BURST, start_s, 2600)
    alone = run_fleet(Fleet(10.0, 3), None, BURST, start_s, 2600)
    assert fleet.lost / fleet.came <= most_lost
    assert alone.lost / alone.came > 0.4
    assert by(fleet, 1500, 3) == pytest.approx(100 / 7, abs=4)


def test_the_same_again():
    """A seed is a run."""
    first, second = (run_fleet(Fleet(10.0, 3), scaler(), BURST, 5.0, 1000) for _ in range(2))
    assert first == second
