"""Encode rendered faces on a GPU, through nvImageCodec and its nvJPEG. No Triton here."""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["CPU_ONLY", "CodecError", "DeviceEncoder", "find_gpu"]

PACKAGE = "nvidia-nvimgcodec-cu12[nvjpeg]"
CPU_ONLY = -2
"""Instead of a GPU: the library's own codec for CPUs, by which everything but nvJPEG is tried without a card."""

DRIVER = "libcuda.so.1"
PROBE_SIDE = 16


class CodecError(Exception):
    """Raised when pictures cannot be encoded on a GPU.

    Attributes:
        expected: What has to be there.
        got: What is.
    """

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(expected, got)
        self.expected, self.got = expected, got

    def __str__(self) -> str:
        return f"JPEGs on a GPU: expected {self.expected}, got {self.got}"


class DeviceEncoder:
    """Encodes pictures side by side, with the quality and the 4:2:0 of OpenCV's encoder.

    Args:
        device: The GPU's number, or ``CPU_ONLY``.
        quality: 1 to 100.
        threads: Of the library's own.

    Raises:
        CodecError: If the package or nvJPEG is missing.
    """

    def __init__(self, device: int, quality: int, threads: int) -> None:
        self._codec = _load()
        self._params = self._codec.EncodeParams(
            quality_type=self._codec.QualityType.QUALITY,
            quality_value=quality,
            chroma_subsampling=self._codec.ChromaSubsampling.CSS_420,
        )
        missing = CodecError(f"nvJPEG, as {PACKAGE} brings it", "no encoder that makes a JPEG")
        try:
            self._encoder = self._codec.Encoder(
                device_id=self._codec.NVIMGCODEC_DEVICE_CPU_ONLY if device == CPU_ONLY else device,
                max_num_cpu_threads=threads,
                backends=_backends(self._codec, device),
            )
        except RuntimeError as exc:
            raise missing from exc
        if self.encode([np.zeros((PROBE_SIDE, PROBE_SIDE, 3), np.uint8)]) == [None]:
            raise missing

    def encode(self, images: Sequence[Any]) -> list[memoryview | None]:
        """Return the JPEG of each picture, without a mark; None for one that cannot be encoded.

        Args:
            images: HxWx3 uint8 BGR each, one picture's rows without gaps: NumPy arrays, which are copied to the
                device, or whatever has a ``__cuda_array_interface__``, which stays there.
        """
        pictures = self._codec.as_images(list(images), sample_format=self._codec.SampleFormat.I_BGR)
        streams = self._encoder.encode(pictures, "jpeg", params=self._params)
        return [None if stream is None else memoryview(bytes(stream)) for stream in streams]


def find_gpu(device: int) -> int:
    """Return the number of a GPU that is there.

    Args:
        device: Its number.

    Raises:
        CodecError: If the driver is missing or does not start, or there are fewer GPUs.
    """
    try:
        driver = _open_driver()
    except OSError as exc:
        raise CodecError("the NVIDIA driver", str(exc)) from exc
    if code := driver.cuInit(0):
        raise CodecError("an NVIDIA driver that starts", f"CUDA's error {code}")
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    if device >= count.value:
        raise CodecError(f"a GPU of number {device}", f"{count.value} GPUs")
    return device


def _open_driver() -> Any:
    return ctypes.CDLL(DRIVER)


def _load() -> ModuleType:
    try:
        return importlib.import_module("nvidia.nvimgcodec")
    except ImportError as exc:
        raise CodecError(f"the package {PACKAGE} (or -cu13, with CUDA 13's driver)", str(exc)) from exc


def _backends(codec: ModuleType, device: int) -> list[Any]:
    """Return which of the library's codecs may be taken: where a GPU is asked for, none that falls back on the CPU."""
    kinds = codec.BackendKind
    allowed = (kinds.CPU_ONLY,) if device == CPU_ONLY else (kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU)
    return [codec.Backend(kind) for kind in allowed]
