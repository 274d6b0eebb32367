"""benchmarks/simulation/load.py: live sessions, and what bridges admit"""

import pytest

from benchmarks.simulation.load import Clips, admitted_sessions, live_sessions
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import BridgeCosts, Layout, simulate
from bridge.live.hub import USABLE_SHARE
from speech.contract import FPS

FREE = BridgeCosts()
TRITON = TritonCosts(network_s=0.01, vector_s=0.002)


def live(sessions, costs=FREE, triton=TRITON, **options):
    return simulate(Layout(cores=1), triton, costs, live_sessions(sessions, 5, **options))


@pytest.mark.parametrize("sessions", [1, 2, 3])
def test_as_many_as_there_is_time_for(sessions):
    """At 12 ms a picture one core has time for 3.3 sessions: every picture comes, 25 a second, before it is late."""
    outcome = live(sessions)
    assert outcome.is_carried
    assert outcome.frames_per_s == pytest.approx(25 * sessions, rel=0.02)
    assert outcome.quantile_ms(1.0) < 0


def test_too_many():
    """What there is no time for is left out, though its vectors are computed; the others come, none very late."""
    outcome = live(5)
    assert not outcome.is_carried
    assert outcome.frames_per_s == pytest.approx((1 - 5 * 25 * 0.002) / 0.01, rel=0.05)
    assert outcome.codes["late"] == pytest.approx(outcome.asked - outcome.good, abs=30)
    assert (
        outcome.quantile_ms(1.0) < 200 + 40 + 5 * 4 * 2 * 10
    )  # four in flight of each; vectors share the core


def test_silence_costs_the_bridge_alone():
    """Sessions that speak half of the time ask for half as many pictures."""
    outcome = live(4, speech_share=0.5, utterance_s=1.0)
    assert outcome.is_carried
    assert outcome.frames_per_s == pytest.approx(4 * 25 / 2, rel=0.1)


def test_a_bridges_core_carries_so_many():
    """A bridge that spends 4 ms on a picture carries ten sessions, not eleven, before a Triton with time enough."""
    costs, idle = BridgeCosts(picture_core_s=0.004), TritonCosts(network_s=1e-5)
    assert live(9, costs=costs, triton=idle).is_carried
    assert not live(11, costs=costs, triton=idle).is_carried


@pytest.mark.parametrize(("tritons", "seen"), [(1, 1), (4, 4), (10, 10), (20, 16)])
def test_a_bridge_admits_what_its_trial_saw(tritons, seen):
    """It asks for more at once while that brings more; sixteen pictures at once keep sixteen Tritons busy."""

    async def admit(world):
        return Outcome(1.0, await admitted_sessions(world))

    admitted = simulate(Layout(tritons=tritons, cores=1), TRITON, BridgeCosts(), admit).asked
    assert admitted == pytest.approx(USABLE_SHARE * seen / 0.01 / FPS, rel=0.2, abs=1)


def test_viewers_of_several_clips():
    """Viewers take turns at clips, and each is elsewhere in its own."""
    clips = Clips(avatars=2, frames=100)
    assert [clips.ask(viewer, 5).avatar for viewer in range(3)] == ["avatar0", "avatar1", "avatar0"]
    assert len({clips.ask(viewer, 5).frame_id for viewer in range(3)}) == 3
    assert clips.ask(0, 100).frame_id == clips.ask(0, 0).frame_id
