"""embedded/backends/tensorrt: model.py in a real Triton, with plan.py and cuda_device.py"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper
from tritonclient.grpc import model_config_pb2 as schema

from export.network.engine import BatchProfile, build_engine
from tests.backends.models import Client, hold, write_model

MAX_BATCH_SIZE = 8


def has_gpu() -> bool:
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


needs_gpu = pytest.mark.skipif(not has_gpu(), reason="needs a GPU")


def doubler() -> ModelProto:
    """``y = 2 * x``, (B, 4) uint8 in and out."""
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["number", "number"], ["sum"]),
            helper.make_node("Cast", ["sum"], ["y"], to=TensorProto.UINT8),
        ],
        "doubler",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["batch", 4])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def plan() -> bytes:
    return build_engine(doubler(), BatchProfile(1, 2, MAX_BATCH_SIZE))


def write_plan(client: Client, name: str, plan: bytes, **settings: int) -> None:
    """Write a model that serves ``plan``."""
    config = schema.ModelConfig(name=name, backend="tensorrt", max_batch_size=MAX_BATCH_SIZE)
    config.default_model_filename = "model.plan"
    config.input.add(name="x", data_type=schema.TYPE_UINT8, dims=(4,))
    config.output.add(name="y", data_type=schema.TYPE_UINT8, dims=(4,))
    config.instance_group.add(count=1)
    hold(config, 3)
    for key, value in settings.items():
        setattr(config, key, value)
    write_model(client.repository, config, plan)


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")
def test_no_gpu(small: Client, plan: bytes) -> None:
    """Without a GPU a plan is refused at load, in one sentence that names the file and what is missing."""
    write_plan(small, "planned", plan)
    path = small.repository / "planned" / "1" / "model.plan"
    assert f"TensorRT cannot load {path}: no CUDA device" in small.load_error("planned")


@needs_gpu
def test_waiting_requests_become_one_batch(small: Client, plan: bytes) -> None:
    """On a GPU, requests that wait together are one execution, and each gets its own rows."""
    write_plan(small, "doubled", plan)
    small.load("doubled")
    rows = np.arange(12, dtype=np.uint8).reshape(3, 4)
    first, second = small.infer_together("doubled", "y", [{"x": rows[:1]}, {"x": rows[1:]}])
    np.testing.assert_array_equal(np.concatenate([first, second]), 2 * rows)
    assert small.batch_sizes("doubled") == {3: 1}


@needs_gpu
def test_batch_beyond_the_plan(small: Client, plan: bytes) -> None:
    """On a GPU, a plan for smaller batches than the config's is refused at load."""
    write_plan(small, "greedy", plan, max_batch_size=9)
    assert "expected an engine for batches of 9 (max_batch_size), got one for 8" in small.load_error("greedy")
