"""benchmarks/gpu/parity.py, with a stand-in for TensorRT"""

from __future__ import annotations

import numpy as np

from benchmarks.gpu import parity
from benchmarks.gpu.libraries import TENSORRT
from benchmarks.gpu.settings import Settings
from tests.benchmarks.gpu.told import Told


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
