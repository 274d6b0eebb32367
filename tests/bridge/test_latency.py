"""bridge/latency.py"""

import pytest

from bridge.latency import Latencies


def test_unknown():
    """A call of an unknown kind is late after a quarter of a second."""
    assert Latencies().late_s("echo") == 0.25


@pytest.mark.parametrize(("usual_s", "late_s"), [(0.001, 0.05), (0.1, 0.2), (1.0, 2.0)])
def test_late_is_twice_the_usual(usual_s, late_s):
    """A call is late after twice what its kind takes, and never before 50 ms."""
    latencies = Latencies()
    for _ in range(8):
        latencies.add("echo", usual_s)
    assert latencies.late_s("echo") == pytest.approx(late_s)
    assert latencies.late_s("other") == 0.25


def test_a_few_slow_ones_are_not_usual():
    """One slow call in thirty does not change what is late; one in ten does: cached frames and painted ones mixed."""
    rare, common = Latencies(), Latencies()
    for number in range(120):
        rare.add("echo", 0.1 if number % 30 == 0 else 0.001)
        common.add("echo", 0.1 if number % 10 == 0 else 0.001)
    assert rare.late_s("echo") == 0.05
    assert common.late_s("echo") == pytest.approx(0.2)


def test_only_the_latest_count():
    """What was usual long ago is forgotten."""
    latencies = Latencies()
    for latency_s in [1.0] * 128 + [0.001] * 128:
        latencies.add("echo", latency_s)
    assert latencies.late_s("echo") == 0.05


def test_kinds_are_bounded():
    """Of more kinds than models can be, the first is forgotten."""
    latencies = Latencies()
    for number in range(257):
        for _ in range(8):
            latencies.add(str(number), 1.0)
    assert latencies.late_s("0") == 0.25
    assert latencies.late_s("256") == 2.0


def test_usual_is_the_median():
    """What is usual is what half of the calls take at most."""
    latencies = Latencies()
    assert latencies.usual_s("echo") == 0.25
    for latency_s in [0.001] * 5 + [1.0] * 3:
        latencies.add("echo", latency_s)
    assert latencies.usual_s("echo") == 0.001
