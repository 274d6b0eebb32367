"""embedded/backends/onnxruntime/devices.py"""

from __future__ import annotations

import importlib.metadata

import onnxruntime
import pytest

INSTALL = "pip install 'onnxruntime-gpu[cuda,cudnn]'"


def test_name_of_a_card(load, machine):
    """A card is called what its driver calls it."""
    assert load("devices").card_name(1) == "Stand-in H200"


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (None, "expected an NVIDIA driver, and its library libcuda.so.1 is not on this machine"),
        ({"error": 100}, "expected an NVIDIA card, and its driver finds none"),
        ({"count": 0}, "expected an NVIDIA card, and its driver finds none"),
        ({"count": 1}, "expected NVIDIA card 1, and the driver finds 1, counted from 0"),
    ],
    ids=["no driver", "a driver that fails", "no card", "fewer cards"],
)
def test_no_card(load, machine, driver, said):
    """Which of driver and card is missing is said."""
    devices = load("devices")
    if driver is None:
        machine.driver = None
    else:
        vars(machine.driver).update(driver)
    with pytest.raises(devices.NoGpu) as caught:
        devices.card_name(1)
    assert str(caught.value) == said


def test_all_is_there(load, machine, capsys):
    """With card, package and libraries nothing is wrong, and what ONNX Runtime prints meanwhile is not shown."""
    load("devices").check_cuda(onnxruntime)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("library", ["libcublasLt.so.13", "libcudnn.so.9"])
def test_library_is_missing(load, machine, library):
    """The library that is missing is named, cuDNN as well, which the provider loads only when a convolution comes."""
    devices = load("devices")
    machine.missing.add(library)
    with pytest.raises(devices.NoGpu) as caught:
        devices.check_cuda(onnxruntime)
    expected = f"ONNX Runtime's CUDA provider needs {library}, which is not on this machine: {INSTALL}"
    assert str(caught.value) == expected


def test_package_for_cpus(load, machine, monkeypatch):
    """The package without CUDA's provider is told apart from one whose libraries are missing."""
    devices = load("devices")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(devices.NoGpu) as caught:
        devices.check_cuda(onnxruntime)
    version = onnxruntime.__version__
    assert (
        str(caught.value)
        == f"the package onnxruntime {version} has no CUDA provider: in its place, {INSTALL}"
    )


def test_both_packages(load, machine, monkeypatch):
    """Both packages at once are refused: each overwrites files of the other."""
    devices = load("devices")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: name)
    with pytest.raises(devices.NoGpu) as caught:
        devices.check_cuda(onnxruntime)
    assert str(caught.value) == (
        "expected one of the packages onnxruntime and onnxruntime-gpu, got both, which overwrite each other: "
        f"pip uninstall --yes onnxruntime onnxruntime-gpu, then {INSTALL}"
    )


def test_driver_of_an_earlier_cuda(load, machine):
    """A driver that is too old for the package is told by both versions."""
    devices = load("devices")
    machine.driver.cuda = 12040
    with pytest.raises(devices.NoGpu) as caught:
        devices.check_cuda(onnxruntime)
    assert str(caught.value) == "expected a driver for CUDA 13.0, as onnxruntime-gpu is, got one for 12.4"


def test_without_preloading(load, machine, monkeypatch):
    """Releases before 1.21 cannot load what pip installed by themselves, and are taken as they are."""
    monkeypatch.delattr(onnxruntime, "preload_dlls")
    load("devices").check_cuda(onnxruntime)


def test_a_damaged_cudnn(load, machine, monkeypatch):
    """What the loader says of a cuDNN that is there and does not load comes along."""
    devices = load("devices")

    def open_library(path):
        if "cudnn" in path:
            raise OSError("/lib/libcudnn.so.9: file too short")
        return object()

    monkeypatch.setattr(devices.ctypes, "CDLL", open_library)
    found = devices.missing_library(onnxruntime, devices.CUDA)
    assert found == "libcudnn.so.9 (/lib/libcudnn.so.9: file too short)"
