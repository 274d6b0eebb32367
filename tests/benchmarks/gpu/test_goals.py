"""benchmarks/gpu/goals.py"""

from benchmarks.gpu.goals import goals
from benchmarks.gpu.journal import Journal


def test_goals(tmp_path):
    """Each goal stands beside the best that was found of it, or beside nothing."""
    journal = Journal(tmp_path, "")
    assert [row["found"] for row in goals(journal, 1000)] == ["not measured"] * 4
    for callers, rate, share in ((1, 300.0, 0.03), (64, 10_500.0, 0.79)):
        cells = {"strategy": "hybrid", "callers": callers, "frames/s": rate, "of the engine": share}
        journal.add_row("served", cells)
    journal.add_row("served", {"strategy": "replay", "frames/s": 50_000.0, "of the engine": 4.0})
    for rate, p99_ms in ((500.0, 5.0), (1000.0, 9.0)):
        journal.add_row("open", {"asked, frames/s": rate, "p99_ms": p99_ms})
    journal.add_row("live", {"sessions": 200, "carried": "yes"})
    journal.add_row("live", {"sessions": 400, "carried": "no"})
    found = goals(journal, 1000.0)
    assert [(row["wanted"], row["found"], row["met"]) for row in found] == [
        (10_000, 10_500.0, "yes"),
        (0.8, 0.79, "no"),
        (10.0, 9.0, "yes"),
        (200, 200.0, "yes"),
    ]
