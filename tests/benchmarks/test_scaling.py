"""benchmarks/scaling.py; the whole of it runs in test_main.py"""

from benchmarks.scaling import INSTANCES


def test_cases():
    """One instance is the base that the others are compared with."""
    assert INSTANCES == (1, 2, 4)
