"""backends/jpeg_encode/device_encoder.py, by nvImageCodec's codec for CPUs; nvJPEG needs a GPU, and was not tried"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from backends.jpeg_encode import device_encoder
from backends.jpeg_encode.device_encoder import CPU_ONLY, CodecError, DeviceEncoder, find_gpu
from backends.jpeg_encode.encoder import encode_jpeg, mark_synthetic, shrink
from tests.backends.test_encoder import APP1, picture, segments

HAS_GPU = Path("/dev/nvidiactl").exists()
PSNR_DB = 40.0
"""How close the two encoders' pictures are at least, once decoded: JPEG leaves room for how a cosine is rounded."""

FRAME_HEADER, QUANTISATION = 0xC0, 0xDB


@pytest.fixture
def codec() -> ModuleType:
    module: ModuleType = pytest.importorskip("nvidia.nvimgcodec", reason="it comes with the extra 'jpeg-gpu'")
    return module


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.parametrize("quality", [40, 90, 95])
@pytest.mark.parametrize("size", [256, 320])
def test_twin_of_the_cpus(codec: ModuleType, size: int, quality: int) -> None:
    """The same picture, marked: size, sampling and tables are those of the CPU's, what it shows within a bound."""
    images = [picture(), picture()[::-1], np.ascontiguousarray(picture()[:, ::-1])]
    encoder = DeviceEncoder(CPU_ONLY, quality, threads=2)
    shrunk = [np.ascontiguousarray(shrink(image, size)) for image in images]
    for image, made in zip(images, encoder.encode(shrunk), strict=True):
        assert made is not None
        jpeg, twin = mark_synthetic(made), encode_jpeg(image, size, quality)
        for marker in (FRAME_HEADER, QUANTISATION, APP1):
            wanted = [one for one in segments(twin) if one[0] == marker]
            assert [one for one in segments(jpeg) if one[0] == marker] == wanted != []
        assert decoded(jpeg).shape == decoded(twin).shape == (size, size, 3)
        assert cv2.PSNR(decoded(jpeg), decoded(twin)) > PSNR_DB


def test_blue_stays_blue(codec: ModuleType) -> None:
    """Pictures are blue, green, red, not the library's own red, green, blue."""
    blue = np.zeros((32, 32, 3), np.uint8)
    blue[..., 0] = 250
    (jpeg,) = DeviceEncoder(CPU_ONLY, 95, threads=1).encode([blue])
    assert jpeg is not None
    assert np.abs(decoded(bytes(jpeg)).astype(int) - blue).max() < 5


def test_a_picture_that_cannot_be_encoded(codec: ModuleType) -> None:
    """It is None, and its neighbours are encoded all the same."""
    odd = np.zeros((32, 32, 7), np.uint8)
    first, second, third = DeviceEncoder(CPU_ONLY, 95, threads=1).encode([picture(32), odd, picture(32)])
    assert second is None
    assert first is not None
    assert first == third


@pytest.mark.skipif(HAS_GPU, reason="there is a GPU")
def test_no_driver() -> None:
    """Without a driver one sentence says so, in the system's words."""
    with pytest.raises(CodecError) as caught:
        find_gpu(0)
    assert str(caught.value) == (
        "JPEGs on a GPU: expected the NVIDIA driver, got libcuda.so.1: cannot open shared object file: "
        "No such file or directory"
    )


class Driver:
    """What of libcuda is asked: whether it starts, and how many GPUs it has."""

    def __init__(self, code: int, count: int) -> None:
        self.code, self.count = code, count

    def cuInit(self, flags: int) -> int:
        assert flags == 0
        return self.code

    def cuDeviceGetCount(self, count: object) -> int:
        count._obj.value = self.count  # type: ignore[attr-defined]
        return 0


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (Driver(100, 0), "an NVIDIA driver that starts, got CUDA's error 100"),
        (Driver(0, 0), "a GPU of number 1, got 0 GPUs"),
        (Driver(0, 1), "a GPU of number 1, got 1 GPUs"),
    ],
)
def test_no_gpu(driver: Driver, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that finds no GPU, or not that one, is said in one sentence."""
    monkeypatch.setattr(device_encoder, "_open_driver", lambda: driver)
    with pytest.raises(CodecError) as caught:
        find_gpu(1)
    assert str(caught.value) == f"JPEGs on a GPU: expected {said}"


def test_a_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of one that the driver has is given back."""
    monkeypatch.setattr(device_encoder, "_open_driver", lambda: Driver(0, 2))
    assert find_gpu(1) == 1


def test_no_nvjpeg(codec: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing but the CPU's codec could encode, the device is refused, rather than the CPU taken in silence."""
    kinds = codec.BackendKind
    on_gpu = [codec.Backend(kind) for kind in (kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU)]
    monkeypatch.setattr(device_encoder, "_backends", lambda *_: on_gpu)
    with pytest.raises(CodecError) as caught:
        DeviceEncoder(CPU_ONLY, 95, threads=1)
    assert str(caught.value) == (
        "JPEGs on a GPU: expected nvJPEG, as nvidia-nvimgcodec-cu12[nvjpeg] brings it, "
        "got no encoder that makes a JPEG"
    )


def test_a_gpu_never_falls_back_on_the_cpu(codec: ModuleType) -> None:
    """Of the library's codecs those for CPUs are not among what a GPU may take."""
    allowed = {backend.backend_kind for backend in device_encoder._backends(codec, 0)}
    assert codec.BackendKind.CPU_ONLY not in allowed
    assert codec.BackendKind.HYBRID_CPU_GPU in allowed  # nvJPEG's: its Huffman coding is the host's


def test_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package one sentence names it."""
    monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", None)
    with pytest.raises(CodecError) as caught:
        DeviceEncoder(0, 95, threads=1)
    assert str(caught.value).startswith(
        "JPEGs on a GPU: expected the package nvidia-nvimgcodec-cu12[nvjpeg] (or -cu13, with CUDA 13's driver), got "
    )
