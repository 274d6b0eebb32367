"""benchmarks/simulation/calibrate.py, on the real Triton and bridge"""

import pytest

from benchmarks.simulation.calibrate import calibrate, spread_of
from benchmarks.simulation.parameters import Parameters
from benchmarks.site import Site


async def test_all_that_is_measured(workspace):
    """Every parameter that the file calls measured is found, and each is of a size that makes sense."""
    found = await calibrate(Site(workspace.avatars, workspace.model_repository), 1.0)
    known = Parameters.read().known
    assert found.keys() == {name for name, entry in known.items() if entry.kind == "measured"}
    times = {name: value for name, value in found.items() if name.endswith("core_s")}
    assert all(0 <= value < 1 for value in times.values()), times
    assert found["network_core_s"] > found["hit_core_s"]
    assert 1 <= found["network_width"] < 100
    assert 5_000 < found["clip_picture_bytes"] < 100_000
    assert found["triton_series"] > 20
    assert found["bridge_series_per_upstream"] >= 2
    assert found["triton_memory_bytes"] > found["bridge_memory_bytes"] > 1e7
    assert 0 < found["ready_s"] < 60


def test_spread():
    """Factors have the mean 1, are in order, and come from what differs between frames, not from what all have."""
    spread = spread_of([0.020, 0.021, 0.022, 0.029], network_s=0.010)
    assert sum(spread) / len(spread) == pytest.approx(1.0, abs=1e-3)
    assert spread == sorted(spread)
    assert spread[-1] > 1.4
    assert spread_of([0.02, 0.02], network_s=0.01) == [1.0] * 20
