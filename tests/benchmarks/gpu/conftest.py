"""What the tests of the GPU benchmark share: a site, and a driver's library that is none."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest

from benchmarks.gpu import device, instances, open_loop, served
from benchmarks.gpu.load import Answers
from benchmarks.gpu.served import Generator
from benchmarks.gpu.settings import STAND_IN, Settings, settings_for
from benchmarks.statistics import Latencies
from tests.benchmarks.gpu.small_network import small_network
from tests.conftest import Clip

STAND_INS = Path(__file__).parent / "stand_in"
ANSWERS = Answers(8000.0, Latencies(1.0, 2.0, 3.0))
"""What a load gets where there is none."""

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


@pytest.fixture
def without_triton(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have steps measure no Triton and no load; return which repositories they would have served."""
    asked: list[str] = []

    @contextlib.asynccontextmanager
    async def triton(repository: Path, strategy: str) -> AsyncIterator[SimpleNamespace]:
        asked.append(f"{repository} {strategy}")
        yield SimpleNamespace(grpc_url="127.0.0.1:1", grpc_port=1)

    for module in (served, open_loop, instances):
        monkeypatch.setattr(module, "running_triton", triton)
        monkeypatch.setattr(module, "warm_up", lambda *arguments: None)
        monkeypatch.setattr(module, "write_repository", lambda settings, findings, backend, *_, **__: backend)
        monkeypatch.setattr(module, "crew_size", lambda: 1)
    monkeypatch.setattr(Generator, "_ask", lambda self, url, callers: ANSWERS)
    return asked
