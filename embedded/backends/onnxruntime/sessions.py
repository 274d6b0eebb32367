"""Sessions of ONNX Runtime on the CPU and on a card, and what they are opened with. No Triton here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnxruntime
from devices import (  # type: ignore[import-not-found]  # model.py extends sys.path
    CUDA,
    TENSORRT,
    NoGpu,
    check_cuda,
    missing_library,
)
from providers import (  # type: ignore[import-not-found]
    GRAPHS,
    BadConfig,
    cuda_options,
    tensorrt_options,
)

__all__ = ["CannotLoad", "open_cpu_session", "open_gpu_session", "session_options"]

CPU = "CPUExecutionProvider"
BATCH_AXIS = "batch"
"""What the exporter calls the first axis; a network that calls it otherwise keeps it open."""

EXECUTION_MODES = {
    0: onnxruntime.ExecutionMode.ORT_SEQUENTIAL,
    1: onnxruntime.ExecutionMode.ORT_PARALLEL,
}
PARAMETERS = {  # least, greatest, default; 0 threads leaves the number open
    "intra_op_thread_count": (0, 1024, 0),
    "inter_op_thread_count": (0, 1024, 0),
    "execution_mode": (0, 1, 0),
    "enable_mem_arena": (0, 1, 1),
}


class CannotLoad(ValueError):
    """Raised when ONNX Runtime refuses a file; its text names both."""


def open_cpu_session(path: Path, config: Mapping[str, Any]) -> Any:
    """Return a session on the CPU.

    Raises:
        BadConfig: If a parameter is out of range.
        CannotLoad: If ONNX Runtime refuses the file.
    """
    return _open(path, session_options(config), [CPU])


def open_gpu_session(path: Path, config: Mapping[str, Any], index: int) -> tuple[Any, list[str]]:
    """Return a session on a card, and remarks on what was asked for and cannot be.

    TensorRT's provider comes before CUDA's where the config asks for it and its libraries are there.

    Raises:
        BadConfig: If a parameter is out of range.
        NoGpu: If the CUDA provider cannot be loaded, or was left out by ONNX Runtime, or the network takes no batches.
        CannotLoad: If ONNX Runtime refuses the file.
    """
    if config["max_batch_size"] < 1:
        raise NoGpu(f"expected a network of batches on a GPU, got max_batch_size: {config['max_batch_size']}")
    check_cuda(onnxruntime)
    tensorrt, remarks = tensorrt_options(config, index), []
    if tensorrt is not None and (library := missing_library(onnxruntime, TENSORRT)):
        tensorrt = None
        remarks.append(f"computes without TensorRT, whose library {library} is not on this machine")
    first = [] if tensorrt is None else [(TENSORRT, tensorrt)]
    options, cuda = session_options(config, on_gpu=True), cuda_options(config, index)
    try:
        session = _open(path, options, [*first, (CUDA, cuda), CPU])
    except CannotLoad as exc:
        if cuda.pop(GRAPHS, None) is None:
            raise
        session = _open(path, options, [*first, (CUDA, cuda), CPU])
        remarks.append(f"computes without CUDA graphs: {exc}")
    if CUDA not in session.get_providers():
        raise NoGpu(f"ONNX Runtime left out its CUDA provider on card {index} and would compute on the CPU")
    return session, remarks


def session_options(config: Mapping[str, Any], *, on_gpu: bool = False) -> onnxruntime.SessionOptions:
    """Return the options of a session as a config says them.

    Raises:
        BadConfig: If a parameter is out of range.
    """
    parameters = {key: _read_parameter(config["parameters"], key) for key in PARAMETERS}
    instances = sum(group["count"] * max(1, len(group.get("gpus", []))) for group in config["instance_group"])
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Left alone, every instance would take all cores, and they would only get in one another's way.
    share = 1 if on_gpu else max(1, _cores() // (instances or 1))
    options.intra_op_num_threads = parameters["intra_op_thread_count"] or share
    options.inter_op_num_threads = parameters["inter_op_thread_count"]
    options.execution_mode = EXECUTION_MODES[parameters["execution_mode"]]
    options.enable_cpu_mem_arena = bool(parameters["enable_mem_arena"])
    # Its threads would spin on after a frame, on a core that the stages after it need.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if not on_gpu:
        # Rows are run one at a time. With an open batch, ONNX Runtime cannot prove that a sum has the shape of the
        # convolution it is fused into, and one thread copies it each time, from the other core's cache.
        options.add_free_dimension_override_by_name(BATCH_AXIS, 1)
    return options


def _open(path: Path, options: onnxruntime.SessionOptions, providers: list[Any]) -> Any:
    try:
        # without "enable_fallback" it would print and go on by itself with fewer providers
        return onnxruntime.InferenceSession(path, options, providers=providers, enable_fallback=0)
    except Exception as exc:  # ONNX Runtime's errors share no base class of their own
        raise CannotLoad(f"ONNX Runtime cannot load {path}: {exc}") from exc


def _read_parameter(parameters: Mapping[str, Any], key: str) -> int:
    low, high, default = PARAMETERS[key]
    text: str = parameters.get(key, {}).get("string_value", str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise BadConfig(f"parameter '{key}': expected {low} to {high}, got {text}")
    return int(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
