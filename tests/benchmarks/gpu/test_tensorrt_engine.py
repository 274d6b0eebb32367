"""benchmarks/gpu/tensorrt_engine.py, with stand-ins for TensorRT and for the driver"""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import onnx
import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu.device import HostDevice, open_device
from benchmarks.gpu.frames import clip_frames, repeated
from benchmarks.gpu.libraries import ORT_CPU
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.onnx_engine import OnnxEngine
from benchmarks.gpu.settings import CUDA, Settings
from benchmarks.gpu.tensorrt_engine import TensorRtEngine
from export.network.engine import BatchProfile, build_engine


@pytest.fixture
def plan(settings: Settings, tensorrt: None) -> bytes:
    model = onnx.load(network_file(settings, settings.avatar, "fp32"))
    return build_engine(model, BatchProfile(1, 2, 2), trt=importlib.import_module("tensorrt"))


@pytest.mark.parametrize("graph", [False, True])
def test_pictures(settings: Settings, plan: bytes, driver: None, graph: bool) -> None:
    """Batches of any size in any order give ONNX Runtime's pictures, through copies and through a recorded graph."""
    device = open_device(replace(settings, device=CUDA))
    engine = TensorRtEngine(plan, device, importlib.import_module("tensorrt"))
    frames = clip_frames(settings, 2)
    reference = OnnxEngine(
        network_file(settings, settings.avatar, "fp32"), ORT_CPU, "fp32", 2, settings.folder
    )
    for batch_size in (2, 1, 2):
        feed = repeated(frames, batch_size)
        runner = engine.runner(batch_size, graph)
        expected = reference.runner(batch_size, graph=False).run(feed)
        np.testing.assert_array_equal(runner.run(feed), expected)
        runner.compute()
        swapped = {name: np.ascontiguousarray(array[::-1]) for name, array in feed.items()}
        expected = reference.runner(batch_size, graph=False).run(swapped)
        np.testing.assert_array_equal(runner.run(swapped), expected)


def test_a_plan_that_is_refused(tensorrt: None) -> None:
    """TensorRT's own words say why."""
    with pytest.raises(NotAvailable) as caught:
        TensorRtEngine(b"none", HostDevice(), importlib.import_module("tensorrt"))
    assert str(caught.value) == "tensorrt's engine is skipped: the plan is not one of this release"
