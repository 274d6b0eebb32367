"""The backend's modules, which find one another through sys.path, and a machine with two cards to try them on."""

from __future__ import annotations

import ctypes
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.gpu_stand_in import stand_in_runtime

FOLDER = Path(__file__).parents[4] / "embedded" / "backends" / "onnxruntime"
MODULES = [path.stem for path in FOLDER.glob("*.py")]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a module of the backend, anew for each test."""
    monkeypatch.syspath_prepend(FOLDER)
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


class Machine:
    """What the loader finds: the driver, and which libraries are missing."""

    def __init__(self) -> None:
        self.driver: Driver | None = Driver()
        self.missing: set[str] = set()

    def open(self, path: str) -> Any:
        name = Path(path).name
        if name == "libcuda.so.1" and self.driver is not None:
            return self.driver
        if name == "libcuda.so.1" or name in self.missing:
            raise OSError(f"{name}: cannot open shared object file: No such file or directory")
        needed = [one for one in self.missing if one.startswith("libcublas")]
        if "providers_cuda" in name and needed:
            raise OSError(f"{needed[0]}: cannot open shared object file: No such file or directory")
        return object()


class Driver:
    """The driver's library, of two cards and CUDA 13."""

    error, count, cuda = 0, 2, 13000

    def cuInit(self, flags: int) -> int:
        return self.error

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = self.count
        return 0

    def cuDeviceGetName(self, name: Any, size: int, index: int) -> int:
        name.value = b"Stand-in H200"
        return 0

    def cuDriverGetVersion(self, version: Any) -> int:
        version._obj.value = self.cuda
        return 0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that has all, with ``onnxruntime-gpu``; a test takes away what it is about."""
    machine = Machine()
    monkeypatch.setattr(ctypes, "CDLL", machine.open)
    stand_in_runtime.install(monkeypatch)
    return machine
