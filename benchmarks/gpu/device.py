"""The memory that engines read and write: a card's, through its driver, or this machine's own in its place."""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from collections.abc import Callable
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.errors import NotAvailable
from benchmarks.gpu.settings import Settings

__all__ = ["CudaDevice", "Device", "HostDevice", "open_device"]

CUDA_MODULE = Path(__file__).resolve().parent.parent.parent / "embedded/backends/tensorrt/cuda_device.py"
"""The driver as the ``tensorrt`` stand-in calls it: what serves is what is measured."""

CAPTURE_THIS_THREAD = 1


class Device(Protocol):
    """What an engine needs of a device.

    Attributes:
        stream: The handle of the stream that every copy and execution goes through.
    """

    stream: int

    def allocate(self, size_bytes: int) -> int:
        """Return the address of new memory."""

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array of the host's memory that the card copies from and to by itself."""

    def upload(self, address: int, array: NDArray[Any]) -> None:
        """Copy a contiguous array to the device, after what the stream already holds."""

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Fill a contiguous array from the device; its values are there after ``synchronize``."""

    def synchronize(self) -> None:
        """Wait for all that the stream holds."""

    def record(self, launch: Callable[[], object]) -> Callable[[], None]:
        """Record what ``launch`` puts on the stream as a graph; return what launches all of it at once."""


class CudaDevice:
    """One NVIDIA card.

    Args:
        driver: An open ``Device`` of the stand-in's ``cuda_device``.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.stream: int = driver.stream
        self.allocate: Callable[[int], int] = driver.allocate
        self.upload, self.download, self.synchronize = driver.upload, driver.download, driver.synchronize

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array of page-locked memory; it lasts as long as the process."""
        address = ctypes.c_void_p()
        size = prod(shape) * dtype.itemsize
        self._call("cuMemHostAlloc", ctypes.byref(address), ctypes.c_size_t(size), ctypes.c_uint(0))
        assert address.value is not None
        memory = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address.value))
        return memory.view(dtype).reshape(shape)

    def record(self, launch: Callable[[], object]) -> Callable[[], None]:
        """Record a CUDA graph of what ``launch`` puts on the stream.

        Raises:
            CudaError: If the driver refuses, for example what cannot be part of a graph.
        """
        stream, graph, executable = ctypes.c_void_p(self.stream), ctypes.c_void_p(), ctypes.c_void_p()
        self._call("cuStreamBeginCapture_v2", stream, ctypes.c_int(CAPTURE_THIS_THREAD))
        try:
            launch()
        finally:
            self._call("cuStreamEndCapture", stream, ctypes.byref(graph))
        self._call("cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
        return lambda: self._call("cuGraphLaunch", executable, stream)

    def _call(self, name: str, *arguments: Any) -> None:
        self._driver.call(name, *arguments)


class HostDevice:
    """This machine's own memory in the place of a card's: copies are copies, a graph is what it was made of."""

    stream = 0

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.uint8]] = []

    def allocate(self, size_bytes: int) -> int:
        """Return the address of new memory; it lasts as long as this object."""
        self._arrays.append(np.zeros(size_bytes, np.uint8))
        return int(self._arrays[-1].ctypes.data)

    def pinned(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array."""
        return np.zeros(shape, dtype)

    def upload(self, address: int, array: NDArray[Any]) -> None:
        """Copy to an address."""
        assert array.flags.c_contiguous
        ctypes.memmove(address, array.ctypes.data, array.nbytes)

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Copy from an address."""
        assert array.flags.c_contiguous
        ctypes.memmove(array.ctypes.data, address, array.nbytes)

    def synchronize(self) -> None:
        """Return at once: nothing here runs apart."""

    def record(self, launch: Callable[[], object]) -> Callable[[], None]:
        """Return what launches it again."""
        launch()

        def launch_again() -> None:
            launch()

        return launch_again


def open_device(settings: Settings, index: int = 0) -> Device:
    """Return the device that the ``tensorrt`` stand-in would run on, or what stands in for it.

    Raises:
        NotAvailable: If there is no card.
    """
    if not settings.has_card:
        return HostDevice()
    cuda = _cuda_module()
    try:
        return cast(Device, CudaDevice(cuda.Device(index)))
    except cuda.CudaError as exc:
        raise NotAvailable("the GPU benchmark", str(exc)) from exc


def _cuda_module() -> ModuleType:
    """Import the stand-in's module by its file: its folder is a Triton backend's, no package."""
    name = CUDA_MODULE.stem
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, CUDA_MODULE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
