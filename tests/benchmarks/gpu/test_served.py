"""benchmarks/gpu/served.py; on the real Triton in test_main.py"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.errors import LoadFailed, NotAvailable
from benchmarks.gpu import served
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.load import Answers
from benchmarks.gpu.served import OURS, PERF_ANALYZER, Generator, warm_up
from benchmarks.gpu.settings import CUDA, Settings
from benchmarks.perf_analyzer import Load, Measurement
from benchmarks.statistics import Latencies
from tests.benchmarks.gpu.conftest import ANSWERS
from tests.benchmarks.gpu.told import Told
from tests.fake_triton import FakeTriton


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
    """Without the driver's tool frames are counted all the same."""

    def missing(*_: object) -> dict[str, str]:
        raise NotAvailable("nvidia-smi", "not here")

    monkeypatch.setattr(served, "describe_card", missing)
    told = Told()
    served.measure(replace(settings, device=CUDA), told, "tensorrt", ["hybrid"], None)
    assert (told.rows["served"][0]["card under load"], told.rows["served"][0]["of the engine"]) == ("", "")


def test_no_time_left(settings: Settings, without_triton: list[str]) -> None:
    """With no time for a measurement the step ends by itself, and says what is missing."""
    told = Told(left_s=0.1)
    served.measure(settings, told, "onnxruntime", ["hybrid"], None)
    assert told.notes == {"served": ["onnxruntime: no time was left for hybrid."]}


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
