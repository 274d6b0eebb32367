"""backends/jpeg_encode/dlpack.py, on the host's memory, whose capsules are the same; no GPU's was tried"""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest

from backends.jpeg_encode.dlpack import CUDA, device_pictures

HOST = 1


def content(address: int, size: int) -> bytes:
    return ctypes.string_at(address, size)


@pytest.mark.parametrize("begin", [0, 1])
def test_each_picture_where_it_lies(begin: int) -> None:
    """The pictures of a batch are at their places in it, also of one that begins within another's memory."""
    batch = np.arange(4 * 2 * 5 * 3, dtype=np.uint8).reshape(4, 2, 5, 3)[begin:]
    pictures = device_pictures(batch.__dlpack__(), HOST)
    assert [one.address for one in pictures] == [picture.ctypes.data for picture in batch]
    assert [content(one.address, 30) for one in pictures] == [picture.tobytes() for picture in batch]
    assert {one.shape for one in pictures} == {(2, 5, 3)}


def test_what_cuda_libraries_read() -> None:
    """A picture says by the interface of CUDA's libraries where it is, and that it is uint8 without gaps."""
    batch = np.zeros((2, 6, 4, 3), np.uint8)
    second = device_pictures(batch.__dlpack__(), HOST)[1]
    assert second.__cuda_array_interface__ == {
        "shape": (6, 4, 3),
        "typestr": "|u1",
        "data": (batch.ctypes.data + 72, False),
        "version": 3,
    }


def test_a_single_picture() -> None:
    """A batch of one has no gap, whatever its stride says."""
    batch = np.zeros((3, 2, 2, 3), np.uint8)[::2][:1]
    assert [one.address for one in device_pictures(batch.__dlpack__(), HOST)] == [batch.ctypes.data]


def test_memory_lives_as_long_as_a_picture() -> None:
    """Whoever holds a picture holds what it lies in."""
    batch = np.full((1, 2, 2, 3), 7, np.uint8)
    (picture,) = device_pictures(batch.__dlpack__(), HOST)
    del batch
    assert content(picture.address, 12) == bytes([7] * 12)


@pytest.mark.parametrize(
    ("batch", "device", "got"),
    [
        (np.zeros((1, 2, 2, 3), np.uint8), CUDA, "(1, 2, 2, 3) of type (1, 8, 1) on 1"),
        (np.zeros((1, 2, 2, 3), np.float32), HOST, "(1, 2, 2, 3) of type (2, 32, 1) on 1"),
        (np.zeros((2, 2, 3), np.uint8), HOST, "(2, 2, 3) of type (1, 8, 1) on 1"),
        (np.zeros((4, 2, 2, 3), np.uint8)[::2], HOST, "(2, 2, 2, 3) of type (1, 8, 1) on 1"),
    ],
    ids=["elsewhere", "numbers", "one picture", "gaps"],
)
def test_other_memory(batch: np.ndarray, device: int, got: str) -> None:
    """Memory elsewhere, of another kind or with gaps is refused with what came."""
    said = f"expected (B, H, W, 3) uint8 without gaps on a device of type {device}, got {got}"
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        device_pictures(batch.__dlpack__(), device)
