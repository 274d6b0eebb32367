"""benchmarks/gpu/open_loop.py; on the real Triton in test_main.py"""

from __future__ import annotations

import pytest

from benchmarks.gpu import open_loop
from benchmarks.gpu.load import Paced
from benchmarks.gpu.settings import Settings
from benchmarks.statistics import Latencies
from tests.benchmarks.gpu.told import Told

PACED = Paced(5.0, Latencies(1.0, 2.0, 9.0), Latencies(0.1, 0.2, 0.5))


def test_rates(settings: Settings, without_triton: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The goal's rate comes first, then half and twice that, each with how late its own generator was."""
    asked: list[float] = []

    def ask(crew: object, url: str, model: str, rate: float, duration_s: float, frames: int) -> Paced:
        asked.append(rate)
        return PACED

    monkeypatch.setattr(open_loop, "ask_at_rate", ask)
    told = Told()
    open_loop.measure(settings, told, "tensorrt", "hybrid")
    assert without_triton == ["tensorrt hybrid"]
    assert asked == [5.0, 2.5, 10.0]
    first = told.rows["open"][0]
    assert (first["asked, frames/s"], first["p99_ms"], first["generator behind, p99_ms"]) == (5.0, 9.0, 0.5)


def test_no_time_left(settings: Settings, without_triton: list[str]) -> None:
    """With no time for a measurement the step ends by itself, and says what is missing."""
    told = Told(left_s=0.1)
    open_loop.measure(settings, told, "onnxruntime", "hybrid")
    assert told.notes == {"open": ["No time was left for 5 frames/s."]}
