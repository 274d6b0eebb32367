"""A machine with cards, as Triton's server and the processes of its models see it: compiled stand-ins for CUDA."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

import embedded
from embedded import installation

HERE = Path(__file__).parent
BACKEND = Path(embedded.__file__).parent / "backends" / "onnxruntime"
MODEL = """import onnxruntime
import stand_in_runtime

stand_in_runtime.install()
stand_in_runtime.Session.refused_with = {refused!r}
onnxruntime.__file__ = {runtime!r}
from under_test import TritonPythonModel
"""

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="no C compiler to make the stand-ins with"
)


def put_cards_in(
    patch: pytest.MonkeyPatch,
    folder: Path,
    cards: int,
    *,
    runtime: bool = True,
    refused: tuple[str, ...] = (),
) -> None:
    """Have servers that are started from now on find cards.

    Args:
        patch: Undoes it.
        folder: Takes what is compiled.
        cards: How many.
        runtime: Whether ONNX Runtime has its CUDA provider; else it is the package for CPUs.
        refused: Options of that provider which it refuses any network with.
    """
    patch.setenv("LIPSYNC_TEST_CARDS", str(cards))
    patch.setenv("LD_PRELOAD", str(compile_library(folder / "cudart.so", "cudart.c")))
    patch.setenv("LD_LIBRARY_PATH", str(compile_library(folder / "libcuda.so.1", "libcuda.c").parent))
    if runtime:
        compile_library(folder / "libcudnn.so.9", "libcuda.c")
        compile_library(folder / "onnxruntime" / "capi" / "libonnxruntime_providers_cuda.so", "libcuda.c")
        backends = _wrap_backend(folder / "backends", folder / "onnxruntime" / "__init__.py", refused)
        patch.setattr(installation, "BACKEND_FOLDERS", (installation.BACKEND_FOLDERS[0], backends))


def _wrap_backend(backends: Path, runtime: Path, refused: tuple[str, ...]) -> Path:
    """Copy the backend, whose model then meets the stand-in for ONNX Runtime: its process takes no PYTHONPATH."""
    copy = backends / "onnxruntime"
    shutil.copytree(BACKEND, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "model.py").rename(copy / "under_test.py")
    shutil.copy(HERE / "stand_in_runtime.py", copy)
    (copy / "model.py").write_text(MODEL.format(runtime=str(runtime), refused=refused))
    return backends


def compile_library(library: Path, source: str) -> Path:
    """Compile a stand-in, and return the path of the library."""
    library.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", library, HERE / source], check=True)
    return library
