"""benchmarks/bridge_alone.py, with a real bridge and the stand-in for Triton; the part in test_main.py"""

import pytest

from benchmarks.bridge_alone import BridgeAlone, measure_bridge_alone


async def test_bridge_alone() -> None:
    """Sessions get pictures, and the bridge uses processor time for them."""
    found = await measure_bridge_alone(2, 1.0, 1)
    assert found.expected == 50
    assert 0 < found.pictures <= 50
    assert found.cpu_s > 0


def test_sessions_a_core() -> None:
    """A picture that costs half a millisecond leaves room for 80 sessions of 25 pictures a second."""
    found = BridgeAlone(sessions=4, expected=1010, pictures=1000, cpu_s=0.5)
    assert found.sessions_per_core == pytest.approx(80)
    assert found.rows()[0]["skipped"] == 10
