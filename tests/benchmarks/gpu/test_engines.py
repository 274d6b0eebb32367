"""benchmarks/gpu/engines.py, with a stand-in for TensorRT"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.gpu.engines import open_engine
from benchmarks.gpu.libraries import TENSORRT
from benchmarks.gpu.settings import Settings
from tests.benchmarks.gpu.told import Told


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
