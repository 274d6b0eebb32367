"""benchmarks/__main__.py, with every part on the real Triton"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import plan, scaling
from benchmarks.errors import NotAvailable
from benchmarks.plan import QUICK
from benchmarks.site import Site
from tests.conftest import Workspace


@pytest.fixture
def quick(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick plan on the tests' own avatars, whose networks have half the width."""
    site = Site(workspace.avatars, workspace.model_repository)
    quick = dataclasses.replace(QUICK, avatar="demo", avatars=("demo",), rounds=1, concurrencies=(8,))
    monkeypatch.setattr(command, "prepare_site", lambda folder, names: site)
    monkeypatch.setattr(command, "QUICK", quick)
    monkeypatch.setattr(scaling, "INSTANCES", (1,))


@pytest.mark.parametrize(
    ("part", "columns", "said"),
    [
        (
            "compare",
            "server,frames/s,p50_ms,p95_ms,p99_ms,of the limit,times the predecessor's",
            "to the plain export: ",
        ),
        (
            "overhead",
            "stage,queue_ms,input_ms,infer_ms,output_ms,total_ms",
            "everything but the U-Net, ms a frame",
        ),
        (
            "sweep",
            "strategy,callers,frames/s,p50_ms,p95_ms,p99_ms,waiting_ms,compute_ms",
            "For one viewer: latency",
        ),
        ("replay", "path,callers,frames/s,p50_ms,p95_ms,p99_ms", "the bridge adds at p50, ms: "),
        ("soak", "idle,playing at 25 fps,frames,missed deadlines,p50_ms", "the bridge's memory changed by "),
        (
            "endurance",
            "viewers,frames,missed deadlines,p99_ms,live pictures,left out",
            "growth of the bridge, MiB: ",
        ),
        ("scaling", "case,strategy,callers,frames/s,p50_ms,p95_ms,p99_ms,memory_mib", "1 instances"),
        (
            "live",
            "avatar,feed,sessions,pictures,skipped,first picture p50_ms",
            "Live sessions of 'demo': min(0.9 · ",
        ),
        (
            "stages",
            "stage,instances,batch,frames/s,joined,stage_ms,server_ms,cores busy",
            "What 10,000 frames/s",
        ),
    ],
)
def test_part(
    quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, columns: str, said: str
) -> None:
    """Each part writes its CSV and its table, and says its figures."""
    assert command.main([part, "--quick", "--output", str(tmp_path)]) == 0
    assert (tmp_path / f"{part}.csv").read_text().startswith(columns)
    text = (tmp_path / "results.md").read_text()
    assert said in text
    assert f"`python -m benchmarks {part} --quick --output {tmp_path}`" in text
    assert f"{tmp_path / 'results.md'}: the tables" in capsys.readouterr().out


def test_a_part_that_cannot_be_measured(
    quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One part's failure is one sentence, the exit code tells of it, and the report is written all the same."""

    async def fail(*_: object) -> None:
        raise NotAvailable("perf_analyzer", "not here")

    monkeypatch.setitem(plan.PARTS, "sweep", fail)
    assert command.main(["sweep", "--quick", "--output", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: perf_analyzer is skipped: not here\n"
    assert (tmp_path / "results.md").is_file()


def test_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    """A part that does not exist is refused before anything is made."""
    with pytest.raises(SystemExit):
        command.main(["dance"])
    assert (
        "expected parts of compare, overhead, sweep, replay, soak, endurance, scaling, live, stages, got dance"
        in capsys.readouterr().err
    )
