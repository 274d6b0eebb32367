"""Stand-in for Triton's native ``tensorrt`` backend, which the PyPI wheel lacks.

It reads the same config, so one model repository serves here and in the official container, and runs ``model.plan``
(``default_model_filename``) with the package ``tensorrt``, else ``tensorrt_rtx``: the one that built the plan. It needs
an NVIDIA GPU; the tests that run without one prove only that it then refuses to load in one sentence.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))
from cuda_device import CudaError, Device  # type: ignore[import-not-found]  # found through sys.path
from plan import Engine  # type: ignore[import-not-found]


class TritonPythonModel:
    """Runs any TensorRT plan; inputs and outputs are those of the model's config."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model's file onto the instance's GPU, and refuse one that is not what the config says."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        file_name = config["default_model_filename"] or "model.plan"
        path = Path(args["model_repository"]) / args["model_version"] / file_name
        try:
            device = Device(int(args["model_instance_device_id"]))
            self.engine = Engine(path.read_bytes(), device)
            _check_fits(self.engine, config)
        except (ImportError, OSError, ValueError, CudaError) as exc:
            raise pb_utils.TritonModelException(f"TensorRT cannot load {path}: {exc}") from exc

    def execute(self, requests: list[Any]) -> list[Any]:
        """Run all waiting requests as one batch, and return one response per request."""
        batches = [self._feed(request) for request in requests]
        feed = {name: np.concatenate([batch[name] for batch in batches]) for name in self.inputs}
        try:
            results = self.engine.run(feed)
        except CudaError as exc:
            error = pb_utils.TritonError(str(exc))
            return [pb_utils.InferenceResponse(error=error) for _ in requests]
        ends = np.cumsum([len(batch[self.inputs[0]]) for batch in batches])
        starts = [0, *ends[:-1]]
        return [self._respond(results, start, end) for start, end in zip(starts, ends, strict=True)]

    def _feed(self, request: Any) -> dict[str, Any]:
        return {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}

    def _respond(self, results: dict[str, Any], start: int, end: int) -> Any:
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, results[name][start:end]) for name in self.outputs]
        )


def _check_fits(engine: Engine, config: dict[str, Any]) -> None:
    """Compare tensors and batch size with the config, so that no request can meet a difference.

    Raises:
        ValueError: If they differ.
    """
    if engine.max_batch_size < config["max_batch_size"]:
        raise ValueError(
            f"expected an engine for batches of {config['max_batch_size']} (max_batch_size), "
            f"got one for {engine.max_batch_size}"
        )
    for tensors, found in ((config["input"], engine.inputs), (config["output"], engine.outputs)):
        wanted = {tensor["name"]: _numpy_type(tensor["data_type"]) for tensor in tensors}
        if wanted != found:
            raise ValueError(f"expected the tensors {_names(wanted)} (config.pbtxt), got {_names(found)}")


def _numpy_type(data_type: str) -> np.dtype[Any]:
    return np.dtype(pb_utils.triton_string_to_numpy(data_type))


def _names(types: dict[str, np.dtype[Any]]) -> str:
    return ", ".join(f"{name} {dtype}" for name, dtype in sorted(types.items()))
