"""Stand-in for Triton's native ``onnxruntime`` backend, which the PyPI wheel lacks.

It reads the same config, so one model repository serves here and in the official container: the model's file name
(``default_model_filename``), and the parameters ``intra_op_thread_count``, ``inter_op_thread_count``,
``execution_mode`` (0 sequential, 1 parallel) and ``enable_mem_arena``. It runs on the CPU only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils

WEIGHTS_HINT = "import the avatar again: python -m export avatar --help"
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


class TritonPythonModel:
    """Runs any ONNX file; inputs and outputs are those of the model's config."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open a session on the model's file."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        file_name = config["default_model_filename"] or "model.onnx"
        path = Path(args["model_repository"]) / args["model_version"] / file_name
        options = _session_options(config)
        if not path.is_file():
            raise pb_utils.TritonModelException(
                f"expected the network in {path}, got no such file; {WEIGHTS_HINT}"
            )
        try:
            self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # ONNX Runtime's errors share no base class of their own
            raise pb_utils.TritonModelException(f"ONNX Runtime cannot load {path}: {exc}") from exc

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return one response per request; values that the network fails on are one request's error."""
        return [self._respond(request) for request in requests]

    def _respond(self, request: Any) -> Any:
        feed = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        try:
            results = self._run(feed)
        except Exception as exc:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"ONNX Runtime: {exc}"))
        named = zip(self.outputs, results, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in named])

    def _run(self, feed: dict[str, Any]) -> list[Any]:
        """Run the rows of a request one at a time: a CPU gains nothing by a batch, and a batch leaves its cache."""
        count = len(feed[self.inputs[0]])
        rows = [{name: value[row : row + 1] for name, value in feed.items()} for row in range(count)]
        results = [self.session.run(self.outputs, row) for row in rows]
        return results[0] if count == 1 else [np.concatenate(column) for column in zip(*results, strict=True)]


def _session_options(config: dict[str, Any]) -> onnxruntime.SessionOptions:
    parameters = {key: _read_parameter(config["parameters"], key) for key in PARAMETERS}
    instances = sum(group["count"] for group in config["instance_group"]) or 1
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Left alone, every instance would take all cores, and they would only get in one another's way.
    options.intra_op_num_threads = parameters["intra_op_thread_count"] or max(1, _cores() // instances)
    options.inter_op_num_threads = parameters["inter_op_thread_count"]
    options.execution_mode = EXECUTION_MODES[parameters["execution_mode"]]
    options.enable_cpu_mem_arena = bool(parameters["enable_mem_arena"])
    # Rows are run one at a time. With an open batch, ONNX Runtime cannot prove that a sum has the shape of the
    # convolution it is fused into, and one thread copies it each time, from the other core's cache.
    options.add_free_dimension_override_by_name(BATCH_AXIS, 1)
    # Its threads would spin on after a frame, on a core that the stages after it need.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _read_parameter(parameters: dict[str, Any], key: str) -> int:
    low, high, default = PARAMETERS[key]
    text = parameters.get(key, {}).get("string_value", str(default))
    if not text.isdecimal() or not low <= int(text) <= high:
        raise pb_utils.TritonModelException(f"parameter '{key}': expected {low} to {high}, got {text}")
    return int(text)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
