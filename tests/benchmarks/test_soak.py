"""benchmarks/soak.py; the whole of it runs in test_main.py"""

from benchmarks.soak import Soak
from benchmarks.statistics import Latencies


def test_row():
    """The row tells clients, frames, missed deadlines, percentiles and memory in MiB."""
    (row,) = Soak(200, 50, 75_000, 2, Latencies(1.0, 2.0, 3.0), 64 << 20, 65 << 20).rows()
    assert (row["frames"], row["missed deadlines"], row["p99_ms"]) == (75_000, 2, 3.0)
    assert row["bridge after, MiB"] - row["bridge before, MiB"] == 1.0
