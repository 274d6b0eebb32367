"""benchmarks/replay.py; the whole of it runs in test_main.py"""

import pytest

from benchmarks.perf_analyzer import Measurement
from benchmarks.replay import Replay
from benchmarks.statistics import Round


def test_what_the_bridge_adds():
    """It is the difference of the medians at one caller, over all rounds."""
    measured = Measurement(16, 9000.0, 1.4, 3.0, 7.0, 0.1, 0.1)
    direct = [Round(2500.0, (0.3, 0.4, 0.5)), Round(2500.0, (0.4, 0.4, 9.0))]
    found = Replay(measured, Round(3000.0, (5.0,)), direct, [Round(1400.0, (0.6, 0.7, 0.8))])
    assert found.bridge_adds_ms == pytest.approx(0.3)
    assert [(row["path"], row["callers"]) for row in found.rows()] == [
        ("gRPC", 16),
        ("bridge, WebSocket", 16),
        ("gRPC", 1),
        ("bridge, WebSocket", 1),
    ]
