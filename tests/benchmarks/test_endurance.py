"""benchmarks/endurance.py; the whole of it runs in test_main.py"""

from benchmarks.endurance import Endurance, Held
from benchmarks.speakers import Heard
from benchmarks.statistics import Latencies


def test_row():
    """The row tells what was late and left out, and what each process held before and after."""
    before, after = Held(64 << 20, 512 << 20, 40), Held(65 << 20, 512 << 20, 41)
    heard = Heard(expected=100, pictures=98)
    (row,) = Endurance(10, 2500, 3, Latencies(1.0, 2.0, 3.0), heard, before, after).rows()
    assert (row["frames"], row["missed deadlines"], row["p99_ms"]) == (2500, 3, 3.0)
    assert (row["live pictures"], row["left out"]) == (100, 2)
    assert row["bridge after, MiB"] - row["bridge before, MiB"] == 1.0
    assert row["descriptors after"] - row["descriptors before"] == 1
