"""Stand-in for Triton's native ``onnxruntime`` backend, which the PyPI wheel lacks.

It reads the same config, so one model repository serves here and in the official container: the model's file name
(``default_model_filename``), and the parameters ``intra_op_thread_count``, ``inter_op_thread_count``,
``execution_mode`` (0 sequential, 1 parallel) and ``enable_mem_arena``; for GPUs see ``providers.py``.

An instance that Triton places on a GPU computes there with ``onnxruntime-gpu``. Where that cannot be, one of
``KIND_GPU`` is refused with what is missing, and one of ``KIND_AUTO`` computes on the CPU and says why. On GPUs it was
never run: the tests prove it on stand-ins for the card and for ONNX Runtime's CUDA provider.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

sys.path.insert(0, str(Path(__file__).parent))
from batches import Batches, Tensor  # type: ignore[import-not-found]  # found through sys.path
from devices import NoGpu, card_name  # type: ignore[import-not-found]
from providers import BadConfig, graph_sizes, warm_sizes  # type: ignore[import-not-found]
from rows import Rows  # type: ignore[import-not-found]
from sessions import CannotLoad, open_cpu_session, open_gpu_session  # type: ignore[import-not-found]

WEIGHTS_HINT = "import the avatar again: python -m export avatar --help"
METRIC = "lipsync_compute"
METRIC_MEANING = "1 for each instance of a model, by what it computes on, as ONNX Runtime reports it"
COMMENT = re.compile(r"#.*")
ASKED_FOR_GPU = re.compile(r"\bkind\s*:\s*KIND_GPU\b")


class TritonPythonModel:
    """Runs any ONNX file; inputs and outputs are those of the model's config."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open a session on the model's file, where Triton has placed the instance."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        folder = Path(args["model_repository"])
        path = folder / args["model_version"] / (config["default_model_filename"] or "model.onnx")
        if not path.is_file():
            raise pb_utils.TritonModelException(
                f"expected the network in {path}, got no such file; {WEIGHTS_HINT}"
            )
        try:
            self.network, place = self._place(args, config, path, must=_asks_for_gpu(folder))
        except (BadConfig, CannotLoad, NoGpu) as exc:
            raise pb_utils.TritonModelException(str(exc)) from exc
        # kept, as a metric does not outlive its family
        self.family = pb_utils.MetricFamily(METRIC, METRIC_MEANING, pb_utils.MetricFamily.GAUGE)
        # of its own, as nobody takes back what a process that died had added to a common one
        instance = f"{args['model_instance_name']} on {args['model_instance_kind']} {args['model_instance_device_id']}"
        self.metric = self.family.Metric({"model": args["model_name"], "instance": instance, **place})
        self.metric.set(1)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return one response per request; values that the network fails on are one request's error."""
        feeds = [self._feed(request) for request in requests]
        return [self._respond(outcome) for outcome in self.network.run(feeds)]

    def finalize(self) -> None:
        """Take back what was reported of this instance."""
        self.metric.set(0)

    def _place(
        self, args: dict[str, str], config: dict[str, Any], path: Path, *, must: bool
    ) -> tuple[Any, dict[str, str]]:
        """Return the network where it computes, and what is reported of that."""
        reason = ""
        if args["model_instance_kind"] == "GPU":
            try:
                return _on_gpu(args, config, path)
            except (NoGpu, CannotLoad) as exc:  # of a file that is none, the CPU says so again
                if must:
                    raise
                reason = " ".join(str(exc).split())
                pb_utils.Logger.log_warn(f"{args['model_name']} computes on the CPU: {reason}")
        network = Rows(open_cpu_session(path, config), self.outputs)
        return network, {"device": "CPU", "provider": "CPU", "reason": reason}

    def _feed(self, request: Any) -> dict[str, Any]:
        return {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}

    def _respond(self, outcome: Any) -> Any:
        if isinstance(outcome, Exception):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"ONNX Runtime: {outcome}"))
        named = zip(self.outputs, outcome, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in named])


def _on_gpu(args: dict[str, str], config: dict[str, Any], path: Path) -> tuple[Batches, dict[str, str]]:
    """Return a network that has run on the instance's card, and what is reported of that."""
    index = int(args["model_instance_device_id"])
    device = card_name(index)
    session, remarks = open_gpu_session(path, config, index)
    for remark in remarks:
        pb_utils.Logger.log_warn(f"{args['model_name']} {remark}")
    inputs, outputs = ([_tensor(tensor) for tensor in config[end]] for end in ("input", "output"))
    network = Batches(session, inputs, outputs, index, graph_sizes(config))
    try:
        wrong = network.warm_up(warm_sizes(config))
    except Exception as exc:  # ONNX Runtime's errors share no base class of their own
        raise NoGpu(f"{device} cannot run {path}: {exc}") from exc
    for size in wrong:
        text = (
            f"computes batches of {size} without their CUDA graph, which does not give what the network gives"
        )
        pb_utils.Logger.log_warn(f"{args['model_name']} {text}")
    provider = session.get_providers()[0].removesuffix("ExecutionProvider")
    return network, {"device": device, "provider": provider, "reason": ""}


def _tensor(tensor: dict[str, Any]) -> Tensor:
    dtype = np.dtype(pb_utils.triton_string_to_numpy(tensor["data_type"]))
    return Tensor(tensor["name"], dtype, tuple(int(dim) for dim in tensor["dims"]))


def _asks_for_gpu(folder: Path) -> bool:
    """Tell whether a model's files say KIND_GPU: Triton has made that of KIND_AUTO, too, when it calls us."""
    files = [folder / "config.pbtxt", *folder.glob("configs/*.pbtxt")]
    texts = (COMMENT.sub("", file.read_text(encoding="utf-8")) for file in files if file.is_file())
    return any(map(ASKED_FOR_GPU.search, texts))
