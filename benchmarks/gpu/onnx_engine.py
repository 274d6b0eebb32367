"""A network on ONNX Runtime with its tensors bound to the device: CUDA's provider, TensorRT's, or the CPU's."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import NotAvailable
from benchmarks.gpu.libraries import ORT_CPU, ORT_CUDA, ORT_TENSORRT, PROVIDERS

__all__ = ["OnnxEngine", "providers_of"]

QUIET = 3


class OnnxEngine:
    """A network's file on ONNX Runtime.

    Args:
        path: A served graph.
        library: ``onnxruntime-cuda``, ``-tensorrt`` or ``-cpu``.
        precision: ``fp16``, ``tf32`` or ``fp32``: whether float32 may be multiplied as TensorFloat-32.
        largest_batch: That will be run.
        cache: A folder for what TensorRT builds.
        runtime: The package ``onnxruntime``; imported when absent.
    """

    def __init__(
        self,
        path: Path,
        library: str,
        precision: str,
        largest_batch: int,
        cache: Path,
        runtime: ModuleType | None = None,
    ) -> None:
        self._ort: Any = runtime or _open_runtime()
        self._path, self._library = path, library
        self._options = (precision, largest_batch, cache)
        self._sessions: dict[bool, Any] = {}
        self.has_graphs = library != ORT_CPU

    def runner(self, batch_size: int, graph: bool) -> OnnxRunner:
        """Return what runs batches of one size, as a CUDA graph if asked for.

        Raises:
            NotAvailable: If ONNX Runtime would run them elsewhere than was asked for.
        """
        if graph not in self._sessions:
            self._sessions[graph] = self._open(graph)
        kind = "cpu" if self._library == ORT_CPU else "cuda"
        return OnnxRunner(self._ort, self._sessions[graph], batch_size, kind, graph)

    def _open(self, graph: bool) -> Any:
        options = self._ort.SessionOptions()
        options.log_severity_level = QUIET
        providers = providers_of(self._library, *self._options, graph, self._ort, self._path)
        session = self._ort.InferenceSession(str(self._path), options, providers=providers)
        wanted, used = PROVIDERS[self._library], session.get_providers()
        if used[0] != wanted:  # it says so on its log only, and goes on with the next
            reason = f"expected ONNX Runtime to use {wanted}, got {used[0]}: its libraries did not load, see log.txt"
            raise NotAvailable(self._library, reason)
        return session


class OnnxRunner:
    """Batches of one size through one session, inputs and output at fixed places.

    Args:
        runtime: The package.
        session: Of the network.
        batch_size: Frames at a time.
        kind: ``cuda`` or ``cpu``: where the tensors lie.
        graph: Whether the session records CUDA graphs: one per batch size, told apart by a number.
    """

    def __init__(self, runtime: Any, session: Any, batch_size: int, kind: str, graph: bool) -> None:
        self._session, self._binding = session, session.io_binding()
        self._run_options = None
        if graph:
            self._run_options = runtime.RunOptions()
            self._run_options.add_run_config_entry("gpu_graph_id", str(batch_size))
        value = runtime.OrtValue
        self._inputs = {
            tensor.name: value.ortvalue_from_numpy(_zeros(tensor, batch_size), kind, 0)
            for tensor in session.get_inputs()
        }
        (output,) = session.get_outputs()
        shape = (batch_size, *output.shape[1:])
        self._output = value.ortvalue_from_shape_and_type(shape, np.uint8, kind, 0)
        for name, bound in self._inputs.items():
            self._binding.bind_ortvalue_input(name, bound)
        self._binding.bind_ortvalue_output(output.name, self._output)

    def run(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Copy a batch to the device, compute, and copy the pictures back: (B, S, S, 3) uint8."""
        for name, array in feed.items():
            self._inputs[name].update_inplace(array)
        self.compute()
        picture: NDArray[np.uint8] = self._output.numpy()
        return picture

    def compute(self) -> None:
        """Compute on what was copied last, and wait for it."""
        self._session.run_with_iobinding(self._binding, self._run_options)


def providers_of(
    library: str,
    precision: str,
    largest_batch: int,
    cache: Path,
    graph: bool,
    runtime: Any,
    path: Path,
) -> list[Any]:
    """Return ONNX Runtime's providers, most wanted first, each with its options."""
    if library == ORT_CPU:
        return [PROVIDERS[ORT_CPU]]
    tf32 = {"use_tf32": str(int(precision != "fp32"))}
    recording = {"enable_cuda_graph": str(int(graph and library == ORT_CUDA))}
    cuda = (PROVIDERS[ORT_CUDA], {"device_id": "0", **tf32, **recording})
    if library == ORT_CUDA:
        return [cuda, PROVIDERS[ORT_CPU]]
    cache.mkdir(parents=True, exist_ok=True)
    options = {
        "device_id": "0",
        "trt_fp16_enable": str(int(precision == "fp16")),
        "trt_cuda_graph_enable": str(int(graph)),
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(cache),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(cache),
        **_profile(runtime, path, largest_batch),
    }
    return [(PROVIDERS[ORT_TENSORRT], options), cuda, PROVIDERS[ORT_CPU]]


def _profile(runtime: Any, path: Path, largest_batch: int) -> dict[str, str]:
    """Return one engine's range of shapes, as the TensorRT provider spells it; else it builds one per batch size."""
    session = runtime.InferenceSession(str(path), providers=[PROVIDERS[ORT_CPU]])
    sizes = {"min": 1, "opt": min(16, largest_batch), "max": largest_batch}
    return {
        f"trt_profile_{name}_shapes": ",".join(
            f"{tensor.name}:{'x'.join(map(str, (size, *tensor.shape[1:])))}"
            for tensor in session.get_inputs()
        )
        for name, size in sizes.items()
    }


def _zeros(tensor: Any, batch_size: int) -> NDArray[Any]:
    dtype = np.uint8 if tensor.type == "tensor(uint8)" else np.float32
    return np.zeros((batch_size, *tensor.shape[1:]), dtype)


def _open_runtime() -> ModuleType:
    runtime = importlib.import_module("onnxruntime")
    if hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # the CUDA libraries of pip's packages, where there are
    return runtime
