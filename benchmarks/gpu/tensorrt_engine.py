"""A TensorRT engine measured apart from Triton: with page-locked memory, and as a CUDA graph."""

from __future__ import annotations

from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import NotAvailable
from benchmarks.gpu.device import Device
from export.network.engine import collecting_logger

__all__ = ["TensorRtEngine", "TensorRtRunner"]


class TensorRtEngine:
    """A plan on a device.

    Args:
        plan: As TensorRT serialised it.
        device: Where it runs.
        trt: The package that built it.

    Raises:
        NotAvailable: If TensorRT refuses the plan here.
    """

    has_graphs = True

    def __init__(self, plan: bytes, device: Device, trt: ModuleType) -> None:
        self._device, self._trt = device, trt
        self._log = collecting_logger(trt)
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(plan)
        self._context = self._engine and self._engine.create_execution_context()
        if self._context is None:
            raise NotAvailable(f"{trt.__name__}'s engine", self._log.last)
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        modes = {name: self._engine.get_tensor_mode(name) for name in names}
        self._inputs = [name for name in names if modes[name] == trt.TensorIOMode.INPUT]
        (self._output,) = (name for name in names if name not in self._inputs)
        greatest = {name: tuple(self._engine.get_tensor_profile_shape(name, 0)[2]) for name in self._inputs}
        self._addresses = self._allocate(greatest)

    def runner(self, batch_size: int, graph: bool) -> TensorRtRunner:
        """Return what runs batches of one size, as a CUDA graph if asked for; an earlier runner is of no use then.

        Raises:
            NotAvailable: If TensorRT cannot run it.
            CudaError: If it cannot be recorded.
        """
        for name in self._inputs:
            _, *shape = self._context.get_tensor_shape(name)
            self._context.set_input_shape(name, (batch_size, *shape))
        arrays = {name: self._device.pinned(self._shape(name), self._dtype(name)) for name in self._addresses}
        return TensorRtRunner(self._device, self._addresses, arrays, self._output, self._execute, graph)

    def _execute(self) -> None:
        if not self._context.execute_async_v3(self._device.stream):
            raise NotAvailable("TensorRT's engine", self._log.last)

    def _allocate(self, greatest: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Set aside memory for the greatest batch; return the address of each tensor."""
        for name, shape in greatest.items():
            self._context.set_input_shape(name, shape)
        addresses = {}
        for name in (*self._inputs, self._output):
            addresses[name] = self._device.allocate(prod(self._shape(name)) * self._dtype(name).itemsize)
            self._context.set_tensor_address(name, addresses[name])
        return addresses

    def _shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._context.get_tensor_shape(name))

    def _dtype(self, name: str) -> np.dtype[Any]:
        return np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name)))


class TensorRtRunner:
    """Batches of one size through an engine.

    Args:
        device: Where it runs.
        addresses: Of each tensor there.
        arrays: The host's side of each.
        output: Which of them is the picture.
        execute: Puts one execution on the device's stream.
        graph: Whether to record it once and launch that.
    """

    def __init__(
        self,
        device: Device,
        addresses: dict[str, int],
        arrays: dict[str, NDArray[Any]],
        output: str,
        execute: Any,
        graph: bool,
    ) -> None:
        self._device, self._addresses, self._arrays, self._output = device, addresses, arrays, output
        execute()  # TensorRT may set memory aside at the first one, which a graph must not hold
        device.synchronize()
        self._launch = device.record(execute) if graph else execute

    def run(self, feed: dict[str, NDArray[Any]]) -> NDArray[np.uint8]:
        """Copy a batch to the device, compute, and copy the pictures back: (B, S, S, 3) uint8, good until the next."""
        for name, array in feed.items():
            np.copyto(self._arrays[name], array)
            self._device.upload(self._addresses[name], self._arrays[name])
        self._launch()
        picture = self._arrays[self._output]
        self._device.download(self._addresses[self._output], picture)
        self._device.synchronize()
        return picture

    def compute(self) -> None:
        """Compute on what was copied last, and wait for it."""
        self._launch()
        self._device.synchronize()
