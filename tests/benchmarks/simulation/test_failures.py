"""benchmarks/simulation/failures.py: what the bridge's failover costs"""

import pytest

from benchmarks.simulation.failures import Failure, failing
from benchmarks.simulation.load import Clips, viewers
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import BridgeCosts, Layout, simulate

TRITON = TritonCosts(network_s=0.006)
NEW = Clips(frames=1 << 30)


def fail(kind, tritons):
    load = failing(viewers(3 * tritons, 10, NEW), Failure(kind, after_s=3.011, down_s=3.0))
    return simulate(Layout(tritons=tritons, cores=1), TRITON, BridgeCosts(), load)


@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_one_of_two(kind):
    """No frame is lost, and none waits for half a second, as is promised of real ones."""
    outcome = fail(kind, 2)
    assert outcome.codes == {"ok": outcome.asked}
    assert 8 < outcome.quantile_ms(1.0) < 500


def test_the_only_one():
    """Nobody answers for it: the frames of three seconds fail, and of as long as the next probe takes."""
    outcome = fail("kill", 1)
    assert outcome.codes["unavailable"] == pytest.approx(3 * 25 * 3, rel=0.25)
    assert outcome.codes["ok"] + outcome.codes["unavailable"] == outcome.asked
