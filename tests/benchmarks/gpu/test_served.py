"""benchmarks/gpu/served.py, open_loop.py and instances.py; on the real Triton in test_main.py"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.errors import LoadFailed, NotAvailable
from benchmarks.gpu import instances, open_loop, served
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.load import Answers
from benchmarks.gpu.served import OURS, PERF_ANALYZER, Generator, warm_up
from benchmarks.gpu.settings import CUDA, Settings
from benchmarks.perf_analyzer import Load, Measurement
from benchmarks.statistics import Latencies
from tests.benchmarks.gpu.told import Told
from tests.fake_triton import FakeTriton

ANSWERS = Answers(8000.0, Latencies(1.0, 2.0, 3.0))


@pytest.fixture
def without_triton(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have steps measure no Triton and no load; return which repositories they would have served."""
    asked: list[str] = []

    @contextlib.asynccontextmanager
    async def triton(repository: Path, strategy: str) -> AsyncIterator[SimpleNamespace]:
        asked.append(f"{repository} {strategy}")
        yield SimpleNamespace(grpc_url="127.0.0.1:1", grpc_port=1)

    for module in (served, open_loop, instances):
        monkeypatch.setattr(module, "running_triton", triton)
        monkeypatch.setattr(module, "warm_up", lambda *arguments: None)
        monkeypatch.setattr(module, "write_repository", lambda settings, findings, backend, *_, **__: backend)
        monkeypatch.setattr(module, "crew_size", lambda: 1)
    monkeypatch.setattr(Generator, "_ask", lambda self, url, callers: ANSWERS)
    return asked


def test_strategies(settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each strategy has a Triton of its own, and each figure stands beside the engine's and what the card said."""
    monkeypatch.setattr(
        served, "describe_card", lambda fields: {"utilization.gpu": "97 %", "power.draw": "650 W"}
    )
    told = Told()
    served.measure(replace(settings, device=CUDA), told, "tensorrt", ["hybrid", "latency"], 10_000.0)
    assert without_triton == ["tensorrt hybrid", "tensorrt latency"]
    rows = told.rows["served"]
    assert [(row["strategy"], row["callers"]) for row in rows] == [
        ("hybrid", 4),
        ("hybrid", 1),
        ("latency", 4),
        ("latency", 1),
    ]
    assert (rows[0]["frames/s"], rows[0]["of the engine"]) == (8000.0, 0.8)
    assert rows[0]["card under load"] == "97 %, 650 W"


def test_a_card_that_says_nothing(
    settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the driver's tool frames are counted all the same, and memory is left open."""

    def missing(*_: object) -> dict[str, str]:
        raise NotAvailable("nvidia-smi", "not here")

    monkeypatch.setattr(served, "describe_card", missing)
    monkeypatch.setattr(instances, "used_mebibytes", missing)
    monkeypatch.setattr(instances, "triton_bytes", lambda port: 5 << 20)
    told = Told()
    served.measure(replace(settings, device=CUDA), told, "tensorrt", ["hybrid"], None)
    instances.measure(replace(settings, device=CUDA), told, "tensorrt")
    assert (told.rows["served"][0]["card under load"], told.rows["served"][0]["of the engine"]) == ("", "")
    assert (told.rows["instances"][0]["card, MiB"], told.rows["instances"][0]["host, MiB"]) == ("", 5.0)


def test_memory_of_instances(
    settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the card holds more than before is Triton's, and is divided by the instances."""
    used = iter([1000, 3000, 1000, 5000])
    monkeypatch.setattr(instances, "used_mebibytes", lambda: next(used))
    monkeypatch.setattr(instances, "triton_bytes", lambda port: 0)
    monkeypatch.setattr(served, "describe_card", lambda fields: {})
    told = Told()
    instances.measure(replace(settings, device=CUDA), told, "tensorrt")
    cells = [
        (row["instances"], row["card, MiB"], row["card an instance, MiB"]) for row in told.rows["instances"]
    ]
    assert cells == [(1, 2000, 2000.0), (2, 4000, 2000.0)]


def test_no_time_left(settings: Settings, without_triton: list[str]) -> None:
    """With no time for a measurement each step ends by itself, and says what is missing."""
    told = Told(left_s=0.1)
    served.measure(settings, told, "onnxruntime", ["hybrid"], None)
    open_loop.measure(settings, told, "onnxruntime", "hybrid")
    instances.measure(settings, told, "onnxruntime")
    assert told.notes == {
        "served": ["onnxruntime: no time was left for hybrid."],
        "open": ["No time was left for 5 frames/s."],
        "instances": ["No time was left for 1."],
    }


def test_perf_analyzer_comes_first(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where perf_analyzer runs, it measures; once it fails, our own generator takes over and that is said."""
    monkeypatch.setattr(served, "why_it_cannot_run", lambda: "")
    answers: list[Any] = [
        Measurement(4, 100.0, 1.0, 2.0, 3.0, 0.0, 0.0),
        LoadFailed("perf_analyzer", "nothing"),
    ]

    def run(url: str, load: Load) -> Measurement:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Measurement)
        return answer

    monkeypatch.setattr(served, "run_perf_analyzer", run)
    monkeypatch.setattr(served, "ask_without_pause", lambda *arguments: ANSWERS)
    notes: list[str] = []
    generator = Generator(Crew(1), settings, notes.append)
    assert generator.name == PERF_ANALYZER
    assert generator.measure("url", 4) == Answers(100.0, Latencies(1.0, 2.0, 3.0))
    assert generator.measure("url", 4) == ANSWERS
    assert (generator.name, answers) == (OURS, [])
    assert notes == ["Our own generator took over: perf_analyzer: expected frames, got nothing"]


async def test_all_sizes_are_warm(settings: Settings) -> None:
    """Before anything is counted, callers have asked together in all numbers up to the most that will."""
    async with FakeTriton(models=("half",)) as triton:
        with Crew(1) as crew:
            await asyncio.to_thread(warm_up, crew, triton.address, settings)
        assert triton.calls["half"] > 1 + 2 + 4  # and no 8, which the stand-in's settings have not
