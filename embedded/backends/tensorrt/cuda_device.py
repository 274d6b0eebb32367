"""The few CUDA calls an engine needs, through the driver's own library: any machine with a GPU has it."""

from __future__ import annotations

import ctypes
from typing import Any

from numpy.typing import NDArray

__all__ = ["CudaError", "Device"]

DRIVER = "libcuda.so.1"
STREAM_NON_BLOCKING = 1


class CudaError(RuntimeError):
    """Raised when there is no GPU to run on, or a call to it fails."""


class Device:
    """One GPU, through its primary context, which TensorRT uses as well.

    Args:
        index: Which GPU, as Triton counts them.

    Attributes:
        stream: The handle of the stream that every copy and execution goes through.

    Raises:
        CudaError: If this machine has no driver or no such GPU.
    """

    def __init__(self, index: int) -> None:
        try:
            self._driver = ctypes.CDLL(DRIVER)
        except OSError as exc:
            raise CudaError(f"no CUDA device: the driver's library {DRIVER} is not on this machine") from exc
        device, self._context, stream = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
        self._check_present(index)
        self.call("cuDeviceGet", ctypes.byref(device), index)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self.make_current()
        self.call("cuStreamCreate", ctypes.byref(stream), STREAM_NON_BLOCKING)
        self.stream: int = stream.value or 0

    def make_current(self) -> None:
        """Use this GPU in the calling thread."""
        self.call("cuCtxSetCurrent", self._context)

    def allocate(self, size_bytes: int) -> int:
        """Return the address of new memory on the GPU; it lasts as long as the process."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size_bytes))
        return address.value

    def upload(self, address: int, array: NDArray[Any]) -> None:
        """Copy a contiguous array to the GPU, after what the stream already holds."""
        target, size = ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes)
        self.call("cuMemcpyHtoDAsync_v2", target, _pointer(array), size, self._stream())

    def download(self, address: int, array: NDArray[Any]) -> None:
        """Fill a contiguous array from the GPU; its values are there after ``synchronize``."""
        source, size = ctypes.c_uint64(address), ctypes.c_size_t(array.nbytes)
        self.call("cuMemcpyDtoHAsync_v2", _pointer(array), source, size, self._stream())

    def synchronize(self) -> None:
        """Wait for all that the stream holds."""
        self.call("cuStreamSynchronize", self._stream())

    def call(self, name: str, *arguments: Any) -> None:
        """Call the driver.

        Raises:
            CudaError: If it answers with an error.
        """
        code = getattr(self._driver, name)(*arguments)
        if code:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorString(code, ctypes.byref(text))
            raise CudaError(f"{name}: {(text.value or b'unknown error').decode()} (code {code})")

    def _stream(self) -> ctypes.c_void_p:
        return ctypes.c_void_p(self.stream)

    def _check_present(self, index: int) -> None:
        count = ctypes.c_int()
        try:
            self.call("cuInit", 0)
            self.call("cuDeviceGetCount", ctypes.byref(count))
        except CudaError as exc:
            raise CudaError(f"no CUDA device: {exc}") from exc
        if index >= count.value:
            raise CudaError(f"no CUDA device {index}: this machine has {count.value}")


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    assert array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)
