"""Which libraries can run a network here, and why the others cannot."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from benchmarks.gpu.settings import Settings

__all__ = [
    "ORT_CPU",
    "ORT_CUDA",
    "ORT_TENSORRT",
    "PROVIDERS",
    "TENSORRT",
    "TENSORRT_RTX",
    "Library",
    "find_libraries",
]

ORT_CPU, ORT_CUDA, ORT_TENSORRT = "onnxruntime-cpu", "onnxruntime-cuda", "onnxruntime-tensorrt"
TENSORRT, TENSORRT_RTX = "tensorrt", "tensorrt_rtx"

PROVIDERS = {
    ORT_CPU: "CPUExecutionProvider",
    ORT_CUDA: "CUDAExecutionProvider",
    ORT_TENSORRT: "TensorrtExecutionProvider",
}


@dataclass(frozen=True)
class Library:
    """One way to run a network.

    Attributes:
        name: As the report calls it.
        version: Of its package; empty where it cannot be imported.
        missing: Why it cannot run here, in one line; empty where it can be tried.
    """

    name: str
    version: str
    missing: str = ""


def find_libraries(
    settings: Settings, load: Callable[[str], ModuleType] = importlib.import_module
) -> list[Library]:
    """Return all libraries there are for the device, those that are missing as well.

    Args:
        settings: Of the run.
        load: Imports a module; whatever it raises is why that library is missing.
    """
    ours = (ORT_CUDA, ORT_TENSORRT) if settings.has_card else (ORT_CPU,)
    tensorrts = {name: _import(name, load) for name in (TENSORRT, TENSORRT_RTX)}
    # its import brings the libraries that ONNX Runtime's provider of that name links to
    runtime, version, missing = _import("onnxruntime", load)
    if runtime is not None and hasattr(runtime, "preload_dlls"):
        runtime.preload_dlls()  # the CUDA libraries of pip's packages, where there are
    providers = runtime.get_available_providers() if runtime is not None else []
    found = [Library(name, version, missing or _lacks(name, version, providers)) for name in ours]
    return found + [Library(name, version, missing) for name, (_, version, missing) in tensorrts.items()]


def _import(name: str, load: Callable[[str], ModuleType]) -> tuple[ModuleType | None, str, str]:
    """Return a module, its version and why it is missing: one of the first and the last."""
    try:
        module = load(name)
    except ModuleNotFoundError as exc:
        return None, "", "it is not installed" if exc.name == name else _line(exc)
    except Exception as exc:  # a library that does not fit the driver says so in its own way
        return None, "", _line(exc)
    return module, str(getattr(module, "__version__", "unknown")), ""


def _lacks(name: str, version: str, providers: list[str]) -> str:
    if PROVIDERS[name] in providers:
        return ""
    return f"onnxruntime {version} was built without {PROVIDERS[name]}, it has {', '.join(providers)}"


def _line(exc: Exception) -> str:
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"
