"""benchmarks/simulation/effort.py"""

from benchmarks.simulation.effort import FULL, QUICK
from bridge.settings.upstream import MAX_UPSTREAMS


def test_quick_is_less_of_it():
    """The quick form simulates a part of what the full one does; no cell is larger than a bridge knows."""
    assert set(QUICK.cpu_cells) < set(FULL.cpu_cells)
    assert set(QUICK.overloaded) < set(FULL.overloaded)
    assert QUICK.seconds < FULL.seconds
    assert max(FULL.cpu_cells) == MAX_UPSTREAMS
