"""benchmarks/simulation/world.py: the real balancer before simulated Tritons"""

import pytest

from benchmarks.simulation.load import Clips, callers, offered, viewers
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import BridgeCosts, Layout, simulate

NETWORK_S = 0.02
TRITON = TritonCosts(network_s=NETWORK_S, network_width=1.0)
NEW = Clips(frames=1 << 30)


def test_as_fast_as_the_network():
    """Callers get what one instance computes, and wait as Little's law says."""
    outcome = simulate(Layout(cores=1), TRITON, BridgeCosts(), callers(4, 20, NEW))
    assert outcome.frames_per_s == pytest.approx(1 / NETWORK_S, rel=0.02)
    assert outcome.frames_per_s * outcome.quantile_ms(0.5) / 1000 == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("tritons", [1, 2, 10])
def test_tritons_share_the_work(tritons):
    """The balancer keeps all Tritons busy."""
    outcome = simulate(Layout(tritons=tritons, cores=1), TRITON, BridgeCosts(), callers(2 * tritons, 10, NEW))
    assert outcome.frames_per_s == pytest.approx(tritons / NETWORK_S, rel=0.05)


def test_a_bridges_core_is_a_limit():
    """A bridge that spends 1 ms on a frame gives 1,000 a second, and two bridges twice as many."""
    costs, cached = BridgeCosts(frame_core_s=0.001), Clips(frames=50, is_warm=True)
    remembering = TritonCosts(network_s=NETWORK_S, hit_core_s=1e-5, cache_bytes=1000)
    for bridges in (1, 2):
        outcome = simulate(Layout(bridges=bridges), remembering, costs, callers(16, 1, cached))
        assert outcome.frames_per_s == pytest.approx(1000 * bridges, rel=0.02)
        assert outcome.hit_share == 1.0


def test_one_machine_is_shared():
    """Where Triton, bridge and clients share two cores, frames a second are cores by core seconds a frame."""
    costs = BridgeCosts(frame_core_s=0.01, client_core_s=0.01)
    quick = TritonCosts(network_s=0.01)
    outcome = simulate(Layout(cores=2, is_one_machine=True), quick, costs, callers(6, 10, NEW))
    assert outcome.frames_per_s == pytest.approx(2 / 0.03, rel=0.05)


def test_more_than_can_be_computed():
    """At twice the capacity the capacity is answered, the rest refused, and answers stay quick."""
    outcome = simulate(Layout(cores=1), TRITON, BridgeCosts(), offered(2 / NETWORK_S, 60, 10, NEW))
    assert outcome.frames_per_s == pytest.approx(1 / NETWORK_S, rel=0.1)
    assert outcome.codes["overloaded"] > 0.8 * outcome.good
    assert outcome.quantile_ms(0.99) < 300


def test_no_frame_is_lost():
    """Of viewers within the capacity, every frame comes once."""
    outcome = simulate(Layout(tritons=2, cores=1), TRITON, BridgeCosts(), viewers(3, 10, NEW))
    assert outcome.codes == {"ok": outcome.asked}
    assert outcome.asked == 3 * 25 * 10


def test_the_same_again():
    """Results are the same each time."""
    costs = TritonCosts(network_s=NETWORK_S, spread=(0.5, 1.0, 1.5))
    first, second = (
        simulate(Layout(tritons=3, cores=1), costs, BridgeCosts(), callers(9, 5, NEW)) for _ in range(2)
    )
    assert first == second
