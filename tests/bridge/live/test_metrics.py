"""bridge/live/metrics.py"""

from prometheus_client import CollectorRegistry

from bridge.live.metrics import LiveMetrics
from bridge.live.requests import Counts

COUNTS = Counts(
    pictures=3, silent=5, skipped=2, starved=1, interrupts=4, first_picture_s=[0.06], late_s=[-0.1, 0.05, 0.5]
)


def values(paced):
    """Return what a registry has after a session with COUNTS."""
    registry = CollectorRegistry()
    after = LiveMetrics(registry).take(COUNTS, paced)
    assert after == Counts()

    def value(name, **labels):
        return registry.get_sample_value(f"lipsync_bridge_speech_{name}", labels)

    return value


def test_take():
    """What a session counted is added, and counted from nothing again."""
    value = values(paced=True)
    kinds = {kind: value("pictures_total", kind=kind) for kind in ("speech", "silent", "late", "skipped")}
    assert kinds == {"speech": 3, "silent": 5, "late": 2, "skipped": 2}
    assert (value("starved_total"), value("interrupts_total")) == (1, 4)
    assert value("first_picture_seconds_bucket", le="0.075") == 1
    assert value("first_picture_seconds_bucket", le="0.05") == 0
    assert (value("lateness_seconds_bucket", le="0.0"), value("lateness_seconds_count")) == (1, 3)


def test_without_a_clock_nothing_is_late():
    """Where no clock waits, pictures have no lateness."""
    value = values(paced=False)
    assert value("pictures_total", kind="late") == 0
    assert value("lateness_seconds_count") == 0
    assert value("pictures_total", kind="speech") == 3
