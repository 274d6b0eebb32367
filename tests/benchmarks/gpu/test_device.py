"""benchmarks/gpu/device.py, with a library in the place of the driver's"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu import device as device_module
from benchmarks.gpu.device import Device, HostDevice, open_device
from benchmarks.gpu.settings import CUDA, Settings


def copies(device: Device) -> None:
    """Bytes that go up come down, through page-locked memory."""
    there, back = (device.pinned((3, 4), np.dtype(np.float32)) for _ in range(2))
    there[...] = np.arange(12).reshape(3, 4)
    address = device.allocate(there.nbytes)
    device.upload(address, there)
    device.download(address, back)
    device.synchronize()
    np.testing.assert_array_equal(back, there)


def test_on_the_host() -> None:
    """Where there is no card, copies are copies and a graph is what it was recorded from."""
    device = HostDevice()
    copies(device)
    launched: list[int] = []
    launch = device.record(lambda: launched.append(1))
    launch()
    launch()
    assert len(launched) == 3


def test_on_a_card(settings: Settings, driver: None) -> None:
    """The driver's functions are called with arguments that a library of their signatures takes."""
    copies(open_device(replace(settings, device=CUDA)))


def test_a_graph_of_nothing(settings: Settings, driver: None) -> None:
    """What the driver refuses to record is its own words, and the stream is not captured any more."""
    device = open_device(replace(settings, device=CUDA))
    with pytest.raises(RuntimeError, match=r"^cuGraphInstantiateWithFlags: the stand-in refuses \(code 1\)"):
        device.record(lambda: None)

    def fail() -> None:
        raise ValueError("not to be recorded")

    with pytest.raises(ValueError, match="not to be recorded"):
        device.record(fail)
    with pytest.raises(RuntimeError, match=r"^cuStreamEndCapture: the stream is not captured \(code 901\)"):
        device._call("cuStreamEndCapture", 0x22, 0)  # type: ignore[attr-defined]


def test_without_a_card(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a driver there is one sentence."""
    monkeypatch.setattr(device_module._cuda_module(), "DRIVER", "libcuda.so.absent")
    with pytest.raises(NotAvailable) as caught:
        open_device(replace(settings, device=CUDA))
    assert str(caught.value) == (
        "the GPU benchmark is skipped: no CUDA device: the driver's library libcuda.so.absent is not on this machine"
    )


def test_what_serves_is_what_is_measured() -> None:
    """The driver is called by the module that the ``tensorrt`` stand-in calls it by."""
    assert device_module.CUDA_MODULE.is_file()
    loaded: Callable[[], object] = device_module._cuda_module
    assert loaded() is loaded()
