"""benchmarks/stages/measure.py, on the real Triton; the part runs in tests/benchmarks/test_main.py"""

from __future__ import annotations

import pytest

from benchmarks.site import Site
from benchmarks.stages import measure
from benchmarks.stages.measure import StageFigures, measure_stages, needed
from benchmarks.stages.models import PATH, STAGES
from tests.conftest import Workspace


def figures(**changes: object) -> StageFigures:
    values = {
        "stage": "lookup",
        "instances": 1,
        "batch": 1,
        "frames_per_s": 900.0,
        "joined": 4.0,
        "busy": 0.5,
    }
    return StageFigures(**{**values, "stub_ms": 0.2, "server_ms": 0.3, **changes})  # type: ignore[arg-type]


def test_a_core() -> None:
    """One core does as many frames as fit into a second, the server's share of each counted."""
    assert figures().frames_per_core == pytest.approx(2000.0)
    assert figures().row()["frames/s a core"] == pytest.approx(2000.0)


def test_what_a_goal_takes() -> None:
    """Cores are the goal times a frame's processor time; processes are whole; of instances the cheapest count."""
    dear = figures(instances=2, stub_ms=0.4)
    assert needed([dear, figures(), figures(batch=16, stub_ms=0.11), figures(batch=8)], 10_000) == [
        {
            "stage": "lookup",
            "requests of": 1,
            "cores, its own": pytest.approx(2.0),
            "cores, tritonserver": pytest.approx(3.0),
            "instances of one core": 2,
        },
        {
            "stage": "lookup",
            "requests of": 16,
            "cores, its own": pytest.approx(1.1),
            "cores, tritonserver": pytest.approx(3.0),
            "instances of one core": 2,
        },
    ]


async def test_every_stage_is_measured(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each stage, and of the path through several, both processes' time is found."""
    names = (*PATH, "jpeg live", "whole path")
    monkeypatch.setattr(measure, "STAGES", [one for one in STAGES if one.name in names])
    site = Site(workspace.avatars, workspace.model_repository)
    found = await measure_stages(site, (16,), (1,), 0.5)
    figures = {one.stage: one for one in found}
    assert figures.keys() == set(names)
    parts = sum(figures[name].stub_ms for name in PATH)
    assert figures["whole path"].stub_ms > parts / 2  # of all three, not of one
    for one in found:
        assert one.frames_per_s > 0
        assert one.stub_ms > 0
        assert one.server_ms > 0
        assert one.joined > one.batch / 2
