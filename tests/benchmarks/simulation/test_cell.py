"""benchmarks/simulation/cell.py"""

import pytest

from benchmarks.simulation.cell import CPU, GPU, bridges_for, carried, estimate, layout, queue_times
from benchmarks.simulation.parameters import Parameters

KNOWN = Parameters.read()
QUICK = KNOWN.measured(
    {
        "network_core_s": 0.02,
        "network_width": 2.0,
        "picture_core_s": 0.002,
        "vector_core_s": 0.002,
        "frame_delay_s": 0.0,
        "network_spread": [1.0],
    },
    source="a test",
    machine="a test",
    date="2026-11-27",
)


def test_carried_is_what_there_is_time_for():
    """Two cores, 24 ms of them a picture, have time for 3.3 sessions; two Tritons together for 6.6."""
    one, two = (carried(CPU, QUICK, tritons, 2.0) for tritons in (1, 2))
    assert (one.sessions, two.sessions) == (3, 6)
    assert one.outcome.is_carried
    assert two.per_triton == 3
    assert one.bridge_share == pytest.approx(3 * 25 * KNOWN["bridge_picture_core_s"])
    assert 1 <= one.admitted <= 4


def test_requests_wait_longer_the_more_there_are():
    """Beyond what is carried they wait, and longer than at a third of it."""
    found = carried(CPU, QUICK, 1, 2.0)
    few, many = queue_times(found, QUICK, [0.33, 1.4], 2.0)
    assert 0 <= few <= many
    assert many > 0


def test_layouts():
    """A GPU's machine has one, and the cores that the parameters say; links are those between machines."""
    assert layout(GPU, KNOWN, 2, 3).gpus == 1
    assert layout(GPU, KNOWN, 2, 3).cores == KNOWN["gpu_host_cores"]
    assert layout(CPU, KNOWN, 2, 3).link_s == KNOWN["link_s"]
    assert estimate(GPU, KNOWN) == KNOWN["gpu_pictures_per_s"] / 25
    assert estimate(CPU, QUICK) == pytest.approx(2 / 0.024 / 25)


def test_bridges_have_a_margin():
    """A bridge's core is planned to be busy for seven tenths."""
    per_core = 0.7 / 25 / KNOWN["bridge_picture_core_s"]
    assert bridges_for(KNOWN, per_core * 0.99) == 1
    assert bridges_for(KNOWN, per_core * 1.01) == 2
    assert bridges_for(KNOWN, 0) == 1
