"""benchmarks/gpu/engine.py, engines.py, parity.py and frames.py, with stand-ins for the libraries of a card"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.gpu import engine, parity
from benchmarks.gpu.engine import time_calls
from benchmarks.gpu.engines import open_engine
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


def test_an_engine_is_built_once(settings: Settings, tensorrt: None) -> None:
    """What was built stays on the site, and how long it took is told the first time."""
    told = Told()
    few = replace(settings, largest_batch=3)
    open_engine(few, told, TENSORRT, settings.avatar, "fp32")
    assert "tensorrt: 'half' in fp32 built in " in told.notes["engine"][0]
    open_engine(few, told, TENSORRT, settings.avatar, "fp32")
    assert len(told.notes["engine"]) == 1
    assert (settings.folder / "plans" / "timing.cache").read_bytes().startswith(b"timed")
    assert len(list((settings.folder / "plans").glob("tensorrt-10.0.stand-in-no-card-half-fp32-3.plan"))) == 1


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


def test_parity(settings: Settings, tensorrt: None) -> None:
    """Float32 gives the reference's bytes, float16 almost all of them."""
    told = Told()
    parity.measure(settings, told, TENSORRT, ["fp16", "tf32"], [settings.avatar])
    half, full = told.rows["parity"]
    assert (full["precision"], full["most, levels"], full["equal bytes, %"]) == ("tf32", 0, 100.0)
    assert 0 < half["most, levels"] <= 3
    assert 50 < half["equal bytes, %"] < 100


def test_how_far_pictures_are_apart() -> None:
    """Differences are counted in levels, in both directions."""
    reference = np.array([0, 10, 255, 7], np.uint8)
    found = parity.compare(np.array([3, 10, 250, 7], np.uint8), reference)
    assert found == {"most, levels": 5, "mean, levels": 2.0, "equal bytes, %": 50.0}
