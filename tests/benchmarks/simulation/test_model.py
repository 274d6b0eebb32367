"""benchmarks/simulation/model.py"""

import pytest

from benchmarks.simulation import model
from benchmarks.simulation.load import Clips, callers, live_sessions
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.world import BridgeCosts, Layout, simulate

KNOWN = Parameters.read()


def test_a_gpu_is_what_is_hoped_for():
    """Kept busy with frames, or with pictures and their vectors, it gives as many a second as its goal says."""
    layout = Layout(bridges=2, cores=1e3, gpus=1.0)
    frames = simulate(
        layout, model.gpu_triton(KNOWN), BridgeCosts(), callers(200, 0.3, Clips(frames=1 << 30), 0.2)
    )
    assert frames.frames_per_s == pytest.approx(KNOWN["gpu_frames_per_s"], rel=0.07)
    costs = model.gpu_triton(KNOWN)
    batch_s = costs.network_fixed_s + costs.batch * (costs.network_s + costs.vector_s)
    assert costs.batch / batch_s == pytest.approx(KNOWN["gpu_pictures_per_s"])


def test_a_cpu_is_what_was_measured():
    """A lone caller's frame takes what its parts take."""
    costs = model.cpu_triton(KNOWN)
    alone = simulate(Layout(cores=8), costs, BridgeCosts(), callers(1, 20, Clips(frames=1 << 30)))
    frame_s = costs.network_s / costs.network_width + costs.frame_core_s + costs.delay_s
    assert alone.frames_per_s == pytest.approx(1 / frame_s, rel=0.03)
    assert sum(costs.spread) / len(costs.spread) == pytest.approx(1.0, abs=0.001)


def test_one_machine_has_its_clients():
    """Where clients are on the same machine, what they spend is there too."""
    for costs in (model.computed_machine(KNOWN), model.cached_machine(KNOWN)):
        assert costs.client_core_s > 0
    assert model.live_machine(KNOWN).picture_core_s > model.bridge(KNOWN).picture_core_s
    assert model.bridge(KNOWN).client_core_s == 0
    idle = simulate(Layout(), model.cpu_triton(KNOWN), model.bridge(KNOWN), live_sessions(1, 1))
    assert idle.good > 0
