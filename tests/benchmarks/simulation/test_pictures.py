"""benchmarks/simulation/pictures.py"""

import sys

import pytest

from benchmarks.simulation.autoscaler import Burst, Fleet, run_fleet
from benchmarks.simulation.cell import CPU, Carried
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.pictures import draw
from benchmarks.simulation.scenarios import Study

KNOWN = Parameters.read()


def found():
    fleet = run_fleet(Fleet(10.0, 3), None, Burst(before=5, during=9), 1.0, 600)
    return Study(
        cells=[Carried(CPU, 1, 1, 2, 1, 0.5, Outcome())],
        bursts={"CPU, 2 cores: live sessions, a node": fleet},
    )


def test_without_matplotlib(tmp_path, monkeypatch):
    """Where matplotlib is absent, one sentence says how to get the pictures, and nothing fails."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert draw(found(), KNOWN, tmp_path) == (
        "No pictures: matplotlib is not installed (pip install --editable '.[bench]')."
    )
    assert not list(tmp_path.iterdir())


def test_with_matplotlib(tmp_path):
    """Where it is there, two small pictures are drawn."""
    pytest.importorskip("matplotlib")
    assert draw(found(), KNOWN, tmp_path / "new").startswith("Pictures: ")
    for name in ("scaling_fleets.png", "scaling_burst.png"):
        picture = (tmp_path / "new" / name).read_bytes()
        assert picture[:4] == b"\x89PNG"
        assert len(picture) < 100_000
