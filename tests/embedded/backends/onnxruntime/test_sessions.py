"""embedded/backends/onnxruntime/sessions.py"""

from __future__ import annotations

import os

import onnxruntime
import pytest

from demo.weights import UNET_PATH
from tests.gpu_stand_in.stand_in_runtime import CPU, CUDA, TENSORRT, Session

PLAIN = {"parameters": {}, "optimization": {}, "instance_group": [], "max_batch_size": 8}
GRAPHS = {**PLAIN, "optimization": {"cuda": {"graphs": True}}}
ACCELERATED = {
    **PLAIN,
    "optimization": {"execution_accelerators": {"gpu_execution_accelerator": [{"name": "tensorrt"}]}},
}


def test_batch_of_an_exported_network_is_fixed(load):
    """ONNX Runtime knows that on a CPU a network gets one row at a time, and its threads stop after it."""
    sessions = load("sessions")
    session = sessions.open_cpu_session(UNET_PATH, PLAIN)
    assert [tensor.shape[0] for tensor in session.get_inputs()] == [1, 1]
    options = sessions.session_options(PLAIN)
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


@pytest.mark.parametrize(
    ("groups", "instances"),
    [([{"count": 2}], 2), ([{"count": 1, "gpus": [0, 1]}, {"count": 3, "gpus": []}], 5), ([], 1)],
    ids=["one group", "one on each of two cards", "none"],
)
def test_cores_are_shared(load, monkeypatch, groups, instances):
    """Instances share the cores, also those that were meant for cards and found none."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(30))
    options = load("sessions").session_options({**PLAIN, "instance_group": groups})
    assert options.intra_op_num_threads == 30 // instances


def test_on_a_card(load, machine):
    """A session on a card has CUDA's provider, an open batch, and a single thread for what is left to the CPU."""
    session, remarks = load("sessions").open_gpu_session(UNET_PATH, PLAIN, 1)
    assert session.asked == [(CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "device_id": "1"}), (CPU, {})]
    assert [tensor.shape[0] for tensor in session.get_inputs()] == ["batch", "batch"]
    assert session.get_session_options().intra_op_num_threads == 1
    assert remarks == []


def test_left_out_without_an_error(load, machine, monkeypatch):
    """ONNX Runtime goes on without a provider that it cannot start: that is noticed."""
    sessions = load("sessions")
    monkeypatch.setattr(Session, "left_out", (CUDA,))
    with pytest.raises(sessions.NoGpu) as caught:
        sessions.open_gpu_session(UNET_PATH, PLAIN, 1)
    said = "ONNX Runtime left out its CUDA provider on card 1 and would compute on the CPU"
    assert str(caught.value) == said


def test_with_tensorrt(load, machine):
    """TensorRT's provider comes first where it is asked for."""
    session, remarks = load("sessions").open_gpu_session(UNET_PATH, ACCELERATED, 0)
    assert [name for name, _ in session.asked] == [TENSORRT, CUDA, CPU]
    assert remarks == []


def test_tensorrt_is_missing(load, machine):
    """Without TensorRT's libraries CUDA's provider computes alone, and a remark names the first that is missing."""
    machine.missing.add("libonnxruntime_providers_tensorrt.so")
    session, remarks = load("sessions").open_gpu_session(UNET_PATH, ACCELERATED, 0)
    assert [name for name, _ in session.asked] == [CUDA, CPU]
    expected = "libonnxruntime_providers_tensorrt.so is not on this machine"
    assert remarks == [f"computes without TensorRT, whose library {expected}"]


def test_graphs_refused(load, machine, monkeypatch):
    """A network that no graph can be recorded of runs without, and a remark says why."""
    sessions = load("sessions")
    assert sessions.open_gpu_session(UNET_PATH, GRAPHS, 0)[0].asked[0][1]["enable_cuda_graph"] == "1"
    monkeypatch.setattr(Session, "refused_with", ("enable_cuda_graph",))
    session, (remark,) = sessions.open_gpu_session(UNET_PATH, GRAPHS, 0)
    assert session.asked[0] == (CUDA, {"cudnn_conv_algo_search": "HEURISTIC", "device_id": "0"})
    assert remark.startswith("computes without CUDA graphs: ONNX Runtime cannot load ")
    assert remark.endswith("This session cannot use enable_cuda_graph")


@pytest.mark.parametrize("config", [PLAIN, GRAPHS], ids=["plain", "with graphs"])
def test_no_network(load, machine, tmp_path, config):
    """A file that is no network is refused with ONNX Runtime's words, on a card and on the CPU."""
    sessions = load("sessions")
    path = tmp_path / "model.onnx"
    path.write_bytes(b"none")
    with pytest.raises(sessions.CannotLoad, match=f"^ONNX Runtime cannot load {path}: "):
        sessions.open_gpu_session(path, config, 0)


def test_cpu_session_is_a_plain_one(load):
    """On a CPU nothing of a GPU is looked for, whatever the config says of one."""
    session = load("sessions").open_cpu_session(UNET_PATH, ACCELERATED)
    assert type(session) is onnxruntime.InferenceSession
    assert session.get_providers() == [CPU]


def test_network_without_batches(load, machine):
    """A network whose tensors have no batch is left to the CPU."""
    sessions = load("sessions")
    with pytest.raises(sessions.NoGpu) as caught:
        sessions.open_gpu_session(UNET_PATH, {**PLAIN, "max_batch_size": 0}, 0)
    assert str(caught.value) == "expected a network of batches on a GPU, got max_batch_size: 0"
