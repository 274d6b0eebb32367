"""benchmarks/gpu/libraries.py"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.gpu.libraries import (
    ORT_CPU,
    ORT_CUDA,
    ORT_TENSORRT,
    TENSORRT,
    TENSORRT_RTX,
    Library,
    find_libraries,
)
from benchmarks.gpu.settings import CUDA, STAND_IN, Settings

GPU_BUILD = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
ABSENT = "it is not installed"


def found(device: str, **modules: Any) -> list[Library]:
    """Look for libraries where these modules can be imported, or raise what stands in their place."""

    def load(name: str) -> Any:
        module = modules.get(name, ModuleNotFoundError(name=name))
        if isinstance(module, Exception):
            raise module
        return module

    return find_libraries(Settings(site="/site", device=device), load)


def runtime(providers: list[str]) -> SimpleNamespace:
    return SimpleNamespace(__version__="1.31", get_available_providers=lambda: providers)


def test_all_of_them() -> None:
    """With all packages for a card there is nothing missing, and CUDA's libraries are loaded first."""
    preloaded: list[bool] = []
    build = runtime(GPU_BUILD)
    build.preload_dlls = lambda: preloaded.append(True)
    tensorrts = {name: SimpleNamespace(__version__="10") for name in (TENSORRT, TENSORRT_RTX)}
    libraries = found(CUDA, onnxruntime=build, **tensorrts)
    assert [(library.name, library.version) for library in libraries] == [
        (ORT_CUDA, "1.31"),
        (ORT_TENSORRT, "1.31"),
        (TENSORRT, "10"),
        (TENSORRT_RTX, "10"),
    ]
    assert not any(library.missing for library in libraries)
    assert preloaded == [True]


def test_a_build_for_cpus() -> None:
    """ONNX Runtime's package for CPUs is named as what it is."""
    first = found(CUDA, onnxruntime=runtime(["CPUExecutionProvider"]))[0]
    assert first.missing == (
        "onnxruntime 1.31 was built without CUDAExecutionProvider, it has CPUExecutionProvider"
    )


def test_on_a_stand_in() -> None:
    """Where a CPU takes the card's place, its provider is what is tried."""
    libraries = found(STAND_IN, onnxruntime=runtime(["CPUExecutionProvider"]))
    assert {library.name: library.missing for library in libraries} == {
        ORT_CPU: "",
        TENSORRT: ABSENT,
        TENSORRT_RTX: ABSENT,
    }


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (ModuleNotFoundError(name="onnxruntime"), ABSENT),
        (
            ModuleNotFoundError("No module named 'numpy'", name="numpy"),
            "ModuleNotFoundError: No module named 'numpy'",
        ),
        (ImportError("libcudart.so.13:\ncannot open"), "ImportError: libcudart.so.13: cannot open"),
        (RuntimeError("the driver is too old"), "RuntimeError: the driver is too old"),
    ],
)
def test_why_one_is_missing(raised: Exception, reason: str) -> None:
    """Whatever an import raises is why, in one line, and the others are found all the same."""
    libraries = found(CUDA, onnxruntime=raised, tensorrt=SimpleNamespace())
    assert [library.missing for library in libraries] == [reason, reason, "", ABSENT]
    assert libraries[2].version == "unknown"
