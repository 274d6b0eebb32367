"""Look at the pictures of a batch where they lie, on a GPU: from a DLPack capsule to one view each, without a copy."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any

__all__ = ["DevicePicture", "device_pictures"]

CUDA = 2
"""DLPack's number for memory of an NVIDIA GPU."""


class _Tensor(ctypes.Structure):
    """``DLTensor`` of dlpack.h, which a capsule's pointer points to."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("type_code", ctypes.c_uint8),
        ("type_bits", ctypes.c_uint8),
        ("type_lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


@dataclass(frozen=True)
class DevicePicture:
    """One picture of a batch on a GPU.

    Attributes:
        address: Of its first byte.
        shape: Height, width, channels; uint8, without gaps.
        owner: What keeps the memory; it has to live as long as this.
    """

    address: int
    shape: tuple[int, ...]
    owner: Any

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """What libraries of CUDA read: where and what the picture is; writable, as the library takes no other."""
        return {"shape": self.shape, "typestr": "|u1", "data": (self.address, False), "version": 3}


def device_pictures(capsule: Any, device_type: int = CUDA) -> list[DevicePicture]:
    """Return the pictures of a batch.

    Args:
        capsule: A DLPack capsule, not used yet, of (B, H, W, 3) uint8 without gaps.
        device_type: Where it has to lie, by DLPack's numbers.

    Raises:
        ValueError: If it lies elsewhere, or is none of the kind.
    """
    api = ctypes.pythonapi.PyCapsule_GetPointer
    api.restype, api.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    tensor = _Tensor.from_address(api(capsule, b"dltensor"))
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    kind = (tensor.type_code, tensor.type_bits, tensor.type_lanes)
    if (tensor.device_type, kind, len(shape)) != (device_type, (1, 8, 1), 4) or not _has_no_gaps(
        tensor, shape
    ):
        raise ValueError(
            f"expected (B, H, W, 3) uint8 without gaps on a device of type {device_type}, "
            f"got {shape} of type {kind} on {tensor.device_type}"
        )
    first, size = (tensor.data or 0) + tensor.byte_offset, math.prod(shape[1:])
    return [DevicePicture(first + index * size, shape[1:], capsule) for index in range(shape[0])]


def _has_no_gaps(tensor: _Tensor, shape: tuple[int, ...]) -> bool:
    """Tell whether rows follow on one another; without strides they do."""
    if not tensor.strides:
        return True
    dense = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return all(tensor.strides[axis] == dense[axis] or shape[axis] == 1 for axis in range(len(shape)))
