"""benchmarks/simulation/fleet.py"""

import math
from random import Random

import pytest

from benchmarks.simulation.cell import CPU, GPU, Carried
from benchmarks.simulation.fleet import avatars_in_memory, plan_of, random_share
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters

KNOWN = Parameters.read()
CELLS = [Carried(CPU, tritons, 1, 2 * tritons, tritons, 0.5, Outcome()) for tritons in (1, 2, 10, 20)]
GPU_CELLS = [Carried(GPU, 2, 24, 400, 24, 0.7, Outcome())]


def test_a_fleet_is_so_many_cells():
    """All grows with the number of Tritons; each bridge has a connection to each Triton of its cell."""
    ten, thousand = (plan_of(CELLS, KNOWN, tritons) for tritons in (10, 1000))
    assert (ten.found.tritons, ten.cells, thousand.cells) == (10, 1, 100)
    assert (ten.speaking, thousand.speaking) == (20, 2000)
    assert ten.sessions == 20 / KNOWN["speech_share"]
    assert thousand.connections == thousand.bridges * 10
    assert thousand.usd_per_h == pytest.approx(100 * ten.usd_per_h, rel=0.01)
    assert thousand.series == pytest.approx(100 * ten.series, rel=0.01)


def test_a_small_fleet_is_a_small_cell():
    """One Triton is taken for what one carries, three for what two do, next to them."""
    assert [plan_of(CELLS, KNOWN, tritons).found.tritons for tritons in (1, 3, 100)] == [1, 2, 10]
    assert plan_of(GPU_CELLS, KNOWN, 1).cells == 1


def test_the_road():
    """A session is 25 pictures a second, in bits and in money."""
    plan = plan_of(CELLS, KNOWN, 10)
    assert plan.session_bits_per_s == 25 * KNOWN["live_picture_bytes"] * 8
    hour = 25 * 3600 * KNOWN["live_picture_bytes"] / 1e9
    assert plan.egress_usd_per_session_h == pytest.approx(hour * KNOWN["egress_usd_per_gb"])
    assert plan.row()["USD a session and h"] == pytest.approx(plan.usd_per_h / plan.sessions)


def test_limits_are_shares_of_what_there_may_be():
    """20 Tritons are what one bridge knows; admission counts each session as one that always speaks."""
    limits = plan_of(CELLS, KNOWN, 100).limits()
    assert limits["Tritons that one bridge knows, without cells"] == 5.0
    assert limits["sessions that `measured` admits"] == pytest.approx(2 / KNOWN["speech_share"])
    assert all(math.isfinite(share) for share in limits.values())


def test_memory():
    """More avatars fit a GPU than a small machine, and at least one fits each."""
    assert avatars_in_memory(KNOWN, is_gpu=True) > avatars_in_memory(KNOWN, is_gpu=False) >= 1


@pytest.mark.parametrize("capacity", [10, 40])
def test_bridges_chosen_at_random(capacity):
    """So full may they be that one session in a hundred meets a full one: thrown at random, it is so."""
    share = random_share(capacity, 0.01)
    random, bridges = Random(3), 2000
    counts = [0] * bridges
    for _ in range(round(share * capacity * bridges)):
        counts[random.randrange(bridges)] += 1
    refused = sum(max(0, count - capacity) for count in counts) / sum(counts)
    assert refused == pytest.approx(0.01, rel=0.25)
    assert random_share(200, 0.01) > share
