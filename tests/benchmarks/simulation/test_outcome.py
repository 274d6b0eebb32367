"""benchmarks/simulation/outcome.py"""

from benchmarks import live
from benchmarks.simulation.outcome import MOST_LATE_S, MOST_MISSING, Outcome


def outcome(*latencies_s, refused=0):
    found = Outcome(2.0, len(latencies_s) + refused)
    for latency_s in latencies_s:
        found.note("ok", latency_s)
    for _ in range(refused):
        found.note("overloaded", 0.1)
    return found


def test_figures():
    """Rates and quantiles are of what came; what did not is missing."""
    found = outcome(0.1, 0.2, 0.3, refused=1)
    assert (found.frames_per_s, found.missing) == (1.5, 0.25)
    assert found.quantile_ms(0.5) == 200
    assert Outcome(1.0).quantile_ms(0.5) == 0


def test_carried():
    """One in a hundred may be missing, one in twenty late; the rule is that of the live benchmark."""
    assert outcome(*[0.1] * 99, refused=1).is_carried
    assert not outcome(*[0.1] * 98, refused=2).is_carried
    assert not outcome(*[0.1] * 90, *[0.5] * 10).is_carried
    assert not Outcome(1.0).is_carried
    assert (MOST_MISSING, MOST_LATE_S * 1000) == (live.MOST_SKIPPED, live.MOST_LATE_MS)
