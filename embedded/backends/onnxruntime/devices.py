"""Whether ONNX Runtime can compute on a card of this machine, and if not, what is missing. No Triton here."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import io
from pathlib import Path
from types import ModuleType

__all__ = ["CUDA", "TENSORRT", "NoGpu", "card_name", "check_cuda", "missing_library"]

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
DRIVER = "libcuda.so.1"
CUDNN = "libcudnn.so.9"
PACKAGES = ("onnxruntime", "onnxruntime-gpu")
INSTALL = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
NAME_BYTES = 256


class NoGpu(RuntimeError):
    """Raised when nothing can be computed on a card; its text is a sentence that says what is missing."""


def card_name(index: int) -> str:
    """Return what a card is called, such as ``NVIDIA H200``.

    Args:
        index: Which one, as Triton and CUDA count them.

    Raises:
        NoGpu: If this machine has no driver, no card, or fewer.
    """
    driver, count, name = _driver(), ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or not count.value:
        raise NoGpu("expected an NVIDIA card, and its driver finds none")
    if index >= count.value:
        raise NoGpu(f"expected NVIDIA card {index}, and the driver finds {count.value}, counted from 0")
    driver.cuDeviceGetName(name, NAME_BYTES, index)
    return name.value.decode(errors="replace") or "NVIDIA card"


def check_cuda(runtime: ModuleType) -> None:
    """Check that ONNX Runtime's CUDA provider can be loaded, and load the libraries it needs.

    Args:
        runtime: The module ``onnxruntime``.

    Raises:
        NoGpu: If the package is the one without it, its driver is too old, or a library is missing.
    """
    installed = [name for name in PACKAGES if _is_installed(name)]
    if len(installed) > 1:
        raise NoGpu(
            "expected one of the packages onnxruntime and onnxruntime-gpu, got both, which overwrite each other: "
            f"pip uninstall --yes {' '.join(PACKAGES)}, then {INSTALL}"
        )
    if CUDA not in runtime.get_available_providers():
        raise NoGpu(
            f"the package onnxruntime {runtime.__version__} has no CUDA provider: in its place, {INSTALL}"
        )
    _check_driver(runtime)
    if library := missing_library(runtime, CUDA):
        raise NoGpu(f"ONNX Runtime's CUDA provider needs {library}, which is not on this machine: {INSTALL}")


def missing_library(runtime: ModuleType, provider: str) -> str | None:
    """Return the first library a provider needs and cannot load; None if it has all."""
    if hasattr(
        runtime, "preload_dlls"
    ):  # since 1.21: those that pip installed, which no loader finds by itself
        with contextlib.redirect_stdout(io.StringIO()):
            runtime.preload_dlls()
    file = f"libonnxruntime_providers_{'tensorrt' if provider == TENSORRT else 'cuda'}.so"
    own = Path(runtime.__file__ or "").with_name("capi") / file
    for library in (str(own), CUDNN):  # the CUDA provider loads cuDNN only when a convolution comes
        try:
            ctypes.CDLL(library)
        except OSError as exc:
            name, _, reason = str(exc).partition(": ")
            if "cannot open" in reason:
                return Path(name).name
            if library == CUDNN:
                return f"{CUDNN} ({exc})"
    return None


def _check_driver(runtime: ModuleType) -> None:
    """Compare the CUDA that the driver knows with the one that the package was built for."""
    built, found = str(getattr(runtime, "cuda_version", "") or ""), ctypes.c_int()
    _driver().cuDriverGetVersion(ctypes.byref(found))
    major, minor = divmod(found.value, 1000)
    if built and int(built.partition(".")[0]) > major:
        raise NoGpu(
            f"expected a driver for CUDA {built}, as onnxruntime-gpu is, got one for {major}.{minor // 10}"
        )


def _driver() -> ctypes.CDLL:
    try:
        return ctypes.CDLL(DRIVER)
    except OSError as exc:
        raise NoGpu(f"expected an NVIDIA driver, and its library {DRIVER} is not on this machine") from exc


def _is_installed(package: str) -> bool:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        importlib.metadata.distribution(package)
        return True
    return False
