"""A TensorRT engine and its buffers on one GPU. No Triton here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from cuda_device import CudaError, Device  # type: ignore[import-not-found]  # model.py extends sys.path
from numpy.typing import NDArray

__all__ = ["Engine"]

PACKAGES = ("tensorrt", "tensorrt_rtx")


@dataclass(frozen=True)
class Buffer:
    """Where one tensor lies on the GPU, with room for the greatest batch."""

    address: int
    dtype: np.dtype[Any]


class Engine:
    """Runs a plan; its first axis is the batch.

    Args:
        plan: What ``model.plan`` holds, built by the same TensorRT package and release.
        device: The GPU.

    Attributes:
        inputs: The type of each input by name.
        outputs: The type of each output by name.
        max_batch_size: The greatest batch of the plan's optimisation profile.

    Raises:
        ImportError: If neither ``tensorrt`` nor ``tensorrt_rtx`` is installed.
        ValueError: If TensorRT refuses the plan.
        CudaError: If the GPU has no room for its buffers.
    """

    def __init__(self, plan: bytes, device: Device) -> None:
        trt = _load_tensorrt()
        self._device = device
        self._log = _collecting_logger(trt)
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        self._context = self._engine and self._engine.create_execution_context()
        if self._context is None:
            raise ValueError(f"TensorRT refuses the plan: {self._log.last}")
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        types = {name: np.dtype(trt.nptype(self._engine.get_tensor_dtype(name))) for name in names}
        is_input = {name: self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT for name in names}
        self.inputs = {name: types[name] for name in names if is_input[name]}
        self.outputs = {name: types[name] for name in names if not is_input[name]}
        greatest = {name: tuple(self._engine.get_tensor_profile_shape(name, 0)[2]) for name in self.inputs}
        self.max_batch_size = min(shape[0] for shape in greatest.values())
        self._buffers = self._allocate(greatest)

    def run(self, feed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run one batch, (B, ...) arrays by name in and out.

        Raises:
            CudaError: If a copy or the execution fails.
        """
        self._device.make_current()
        for name, value in feed.items():
            self._context.set_input_shape(name, value.shape)
            self._device.upload(self._buffers[name].address, np.ascontiguousarray(value))
        if not self._context.execute_async_v3(self._device.stream):
            raise CudaError(f"TensorRT cannot run the engine: {self._log.last}")
        results = {name: np.empty(self._shape(name), dtype) for name, dtype in self.outputs.items()}
        for name, result in results.items():
            self._device.download(self._buffers[name].address, result)
        self._device.synchronize()
        return results

    def _allocate(self, greatest: dict[str, tuple[int, ...]]) -> dict[str, Buffer]:
        for name, shape in greatest.items():
            self._context.set_input_shape(name, shape)
        buffers = {}
        for name, dtype in {**self.inputs, **self.outputs}.items():
            address = self._device.allocate(prod(self._shape(name)) * dtype.itemsize)
            self._context.set_tensor_address(name, address)
            buffers[name] = Buffer(address, dtype)
        return buffers

    def _shape(self, name: str) -> tuple[int, ...]:
        """Return a tensor's shape for the input shapes set last."""
        return tuple(self._context.get_tensor_shape(name))


def _load_tensorrt() -> ModuleType:
    for name in PACKAGES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("neither tensorrt nor tensorrt_rtx is installed")


def _collecting_logger(trt: ModuleType) -> Any:
    base: Any = trt.ILogger

    class LastError(base):  # type: ignore[misc]  # the base is known only at run time
        last = "no reason given"

        def __init__(self) -> None:
            super().__init__()

        def log(self, severity: Any, text: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.last = text

    return LastError()
