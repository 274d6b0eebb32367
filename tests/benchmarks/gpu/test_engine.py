"""benchmarks/gpu/engine.py, with stand-ins for the libraries of a card"""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.gpu import engine
from benchmarks.gpu.engine import time_calls
from benchmarks.gpu.libraries import ORT_CPU, TENSORRT
from benchmarks.gpu.settings import Settings
from tests.benchmarks.gpu.told import Told


def test_an_engine_alone(settings: Settings, tensorrt: None) -> None:
    """Each batch size is measured with and without copies, with and without a graph, beside what the card allows."""
    told = Told()
    engine.measure(settings, told, TENSORRT, "tf32", bound=1000.0)
    rows = told.rows["engine"]
    assert [(row["batch"], row["data"], row["graph"]) for row in rows] == [
        (batch, data, graph)
        for batch in settings.batch_sizes
        for graph in ("no", "yes")
        for data in ("over PCIe", "on the device")
    ]
    for row in rows:
        assert row["frames/s"] == pytest.approx(row["batch"] * 1000 / row["p50_ms"], rel=0.5)
        assert row["of the bound"] == pytest.approx(row["frames/s"] / 1000)


def test_no_time_left(settings: Settings) -> None:
    """With no time for another measurement the step ends by itself, and says from where on."""
    told = Told(left_s=0.1)
    engine.measure(settings, told, ORT_CPU, "tf32", None)
    assert told.rows["engine"] == []
    assert told.notes["engine"] == ["onnxruntime-cpu, tf32: no time was left from batches of 2 on."]


def test_a_batch_that_fails(settings: Settings, tensorrt: None) -> None:
    """A batch that does not fit is one sentence, and the others are measured."""
    told = Told()
    engine.measure(replace(settings, batch_sizes=(17, 1)), told, TENSORRT, "tf32", None)
    assert {row["batch"] for row in told.rows["engine"]} == {1}
    said = [text for text in told.notes["engine"] if "batch 17" in text]
    assert said[0] == "tensorrt, tf32, batch 17, graph False: a batch of 17 is outside the profile"
    assert len(said) == 2


def test_one_call_is_timed_at_least() -> None:
    """However short the window, a call that takes longer is timed."""
    assert len(time_calls(lambda: None, 0.0)) == 1


def test_the_first_calls_do_not_count() -> None:
    """Libraries load their kernels at the first runs."""
    calls: list[int] = []
    assert len(time_calls(lambda: calls.append(1), 0.0)) == len(calls) - engine.WARM_UP
