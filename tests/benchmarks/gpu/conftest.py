"""What the tests of the GPU benchmark share: a site, and a driver's library that is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest

from benchmarks.gpu import device
from benchmarks.gpu.settings import STAND_IN, Settings, settings_for
from tests.benchmarks.gpu.small_network import small_network
from tests.conftest import Clip

STAND_INS = Path(__file__).parent / "stand_in"
NEEDS_COMPILER = "needs a C compiler, for what stands in for the driver's library"


@pytest.fixture(scope="session")
def gpu_site(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    """A site to which a clip and a small network were carried; avatars and engines are made there once."""
    folder = tmp_path_factory.mktemp("gpu_site")
    shutil.copytree(clip.folder, folder / "clip")
    onnx.save(small_network(), folder / "half.onnx")
    return folder


@pytest.fixture
def settings(gpu_site: Path) -> Settings:
    """A stand-in's settings, with the shortest windows, on a network that takes a millisecond."""
    return settings_for(STAND_IN, gpu_site, "half", 0.5)


@pytest.fixture(scope="session")
def driver_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``libcuda.so.1`` on this machine's own memory."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip(NEEDS_COMPILER)
    folder = tmp_path_factory.mktemp("driver")
    command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(folder / "libcuda.so.1")]
    subprocess.run([*command, str(STAND_INS / "libcuda.c")], check=True)
    return folder


@pytest.fixture
def driver(driver_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process take that library for the driver's."""
    library = str(driver_folder / "libcuda.so.1")
    monkeypatch.setattr(device._cuda_module(), "DRIVER", library)
    monkeypatch.setenv("STAND_IN_DRIVER", library)


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process import what stands in for ``tensorrt``."""
    monkeypatch.syspath_prepend(str(STAND_INS))
    yield
    sys.modules.pop("tensorrt", None)
