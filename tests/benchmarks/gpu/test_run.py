"""benchmarks/gpu/run.py, with steps that tell what the test wants; with real ones in test_main.py"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu import run as run_module
from benchmarks.gpu.budget import Step
from benchmarks.gpu.journal import LOG, MARKDOWN
from benchmarks.gpu.libraries import ORT_CUDA, TENSORRT
from benchmarks.gpu.process import DONE, FAILED, Outcome
from benchmarks.gpu.run import run
from benchmarks.gpu.settings import CUDA, Settings

SETTINGS = Settings(site="/site", device=CUDA, minutes=8.0)
LIBRARIES = [{"name": name, "version": "1", "missing": ""} for name in (ORT_CUDA, TENSORRT)]
Tell = Callable[[dict[str, Any]], None]


class Steps:
    """Takes the place of processes: steps in ``failing`` fail, the others tell figures as a card's would."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failing: set[str] = set()
        self.found: dict[str, object] = {"libraries": LIBRARIES, "bounds": {"fp16": 20_000.0, "tf32": 9000.0}}

    def make(self, step: Step, settings: Settings, limit_s: float, tell: Tell) -> Outcome:
        self.made.append(step.name)
        if step.name in self.failing:
            return Outcome(FAILED, 1.0, "as the test wants", "its log")
        if step.module.endswith("facts"):
            for key, value in self.found.items():
                tell({"key": key, "value": value})
        if step.module.endswith("engine"):
            rate = 9000.0 if step.arguments["library"] == TENSORRT else 4000.0
            cells = {"data": "over PCIe", "frames/s": rate, **step.arguments}
            tell({"table": "engine", "row": cells})
        if step.module.endswith("served"):
            for strategy in step.arguments["strategies"]:
                cells = {"backend": step.arguments["backend"], "strategy": strategy, "frames/s": 8000.0}
                tell({"table": "served", "row": {**cells, "of the engine": 0.9}})
        return Outcome(DONE, 1.0)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    monkeypatch.setattr(run_module, "run_step", steps.make)
    return steps


def test_the_order(steps: Steps, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures, engines in float16, hybrid on the faster engine's backend, live sessions; the rest follows."""
    assert run(SETTINGS, tmp_path, "head\n") == 0
    assert steps.made[:11] == [
        "facts",
        "networks and roofline",
        "pictures of onnxruntime-cuda, fp16",
        "pictures of tensorrt, fp16",
        "onnxruntime-cuda alone, fp16",
        "tensorrt alone, fp16",
        "avatar",
        "hybrid on tensorrt",
        "live sessions on tensorrt",
        "fixed rate on tensorrt",
        "hybrid on onnxruntime",
    ]
    assert steps.made[-2:] == ["other strategies on tensorrt", "instances on tensorrt"]
    text = (tmp_path / MARKDOWN).read_text()
    assert "| of the engine alone, at least | 0.80 | 0.90 | yes |" in text
    assert "| frames/s end to end, H200, at least | 10000 | 8,000 | no |" in capsys.readouterr().out


def test_a_backend_that_does_not_serve(steps: Steps, tmp_path: Path) -> None:
    """Where the faster engine's backend fails, the other one is what live sessions run on; the reason is a line."""
    steps.failing = {"hybrid on tensorrt"}
    assert run(SETTINGS, tmp_path, "head\n") == 0
    after = steps.made[steps.made.index("hybrid on tensorrt") :]
    assert after[:3] == ["hybrid on tensorrt", "hybrid on onnxruntime", "live sessions on onnxruntime"]
    assert "live sessions on tensorrt" not in steps.made
    assert "| hybrid on tensorrt | failed | 1.00 | as the test wants |" in (tmp_path / MARKDOWN).read_text()
    assert (tmp_path / LOG).read_text() == "=== hybrid on tensorrt\nits log\n"


def test_nothing_works(steps: Steps, tmp_path: Path) -> None:
    """When all fails there is a line for each step, nothing that depends on them is tried, and the run fails."""
    steps.failing = {f"hybrid on {name}" for name in ("tensorrt", "onnxruntime")}
    steps.failing |= {
        f"{name} alone, {precision}" for name in (ORT_CUDA, TENSORRT) for precision in ("fp16", "tf32")
    }
    steps.failing |= {f"pictures of {name}, fp16" for name in (ORT_CUDA, TENSORRT)}
    steps.failing |= {"pictures of onnxruntime-cuda, tf32, fp32", "pictures of tensorrt, tf32"}
    steps.failing |= {"avatar", "hybrid with faces in the network", "hybrid with JPEGs on the card"}
    steps.failing |= {"hybrid with faces and JPEGs on the card"}
    assert run(SETTINGS, tmp_path, "head\n") == 1
    assert not any(name.startswith(("live", "fixed", "instances", "other")) for name in steps.made)


def test_the_time_is_over(steps: Steps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that there is no time for are lines, each with what was left."""
    clock = iter(range(0, 100_000, 20))
    real = run_module.Budget
    monkeypatch.setattr(run_module, "Budget", lambda total_s: real(total_s, lambda: float(next(clock))))
    assert run(SETTINGS, tmp_path, "head\n") == 0
    assert steps.made[:3] == ["facts", "networks and roofline", "pictures of onnxruntime-cuda, fp16"]
    assert "instances on tensorrt" not in steps.made
    states = dict(re.findall(r"^\| ([^|]+) \| (\w+) \|", (tmp_path / MARKDOWN).read_text(), re.MULTILINE))
    assert {name for name, state in states.items() if state == "done"} == set(steps.made)
    assert "skipped" in states.values()


def test_no_card(steps: Steps, tmp_path: Path) -> None:
    """Without a card the run ends after the facts, whose report stays."""
    steps.found["no card"] = "no CUDA device"
    with pytest.raises(NotAvailable, match="all that needs a card is skipped: no CUDA device"):
        run(SETTINGS, tmp_path, "head\n")
    assert steps.made == ["facts"]
    assert "| facts | done | 1.00 |" in (tmp_path / MARKDOWN).read_text()


def test_only_some_steps(steps: Steps, tmp_path: Path) -> None:
    """Steps can be chosen by a part of their name; what they depend on is the caller's to know."""
    assert run(SETTINGS, tmp_path, "head\n", ["fp16", "live"]) == 0
    assert steps.made[2:] == [
        "pictures of onnxruntime-cuda, fp16",
        "pictures of tensorrt, fp16",
        "onnxruntime-cuda alone, fp16",
        "tensorrt alone, fp16",
        "live sessions on tensorrt",
    ]
