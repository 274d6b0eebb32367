"""benchmarks/plot.py"""

import sys

import pytest

from benchmarks.plot import plot_sweep
from tests.benchmarks.test_sweep import point

POINTS = [point("latency", 1, 20.0), point("latency", 8, 20.0), point("hybrid", 8, 25.0)]


def test_without_matplotlib(tmp_path, monkeypatch):
    """Where matplotlib is absent, one sentence says how to get the plot, and nothing fails."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert plot_sweep(POINTS, tmp_path) == (
        "No plot: matplotlib is not installed (pip install --editable '.[bench]')."
    )
    assert not list(tmp_path.iterdir())


def test_with_matplotlib(tmp_path):
    """Where it is there, a picture is drawn."""
    pytest.importorskip("matplotlib")
    assert plot_sweep(POINTS, tmp_path / "new") == f"Plot: {tmp_path / 'new' / 'sweep.png'}"
    assert (tmp_path / "new" / "sweep.png").read_bytes()[:4] == b"\x89PNG"
