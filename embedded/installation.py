"""Find Triton's parts in the environment and lay them out the way the server wants them."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from embedded.errors import NotInstalled

__all__ = ["Installation", "find_installation", "lay_out_backends"]

CONTAINER = Path("/opt/tritonserver")
"""Where NVIDIA's container has its Triton, with all backends laid out."""
DISTRIBUTION = "nvidia-pytriton"
REQUIREMENT = "nvidia-pytriton==0.7.0"
"""As in ``requirements/triton.txt``, which an installed wheel has not at hand."""
SYSTEM_LIBRARIES = (
    Path("/usr/lib/x86_64-linux-gnu"),
    Path("/usr/lib64"),
    Path("/usr/lib"),
    Path("/usr/local/lib"),
)
ROOT = Path(__file__).resolve().parent.parent
BACKEND_FOLDERS = (ROOT / "backends", Path(__file__).resolve().parent / "backends")
STUB = "triton_python_backend_stub"
QUIET = {"ORT_DISABLE_TELEMETRY": "1"}  # else ONNX Runtime reports to its maker, unasked
HUGE_PAGES = "glibc.malloc.hugetlb=1"  # the network's maps pass through far fewer address translations


@dataclass(frozen=True)
class Installation:
    """Where Triton lies.

    Attributes:
        home: The wheel's ``tritonserver`` folder, or the container's.
        libraries: Folders for LD_LIBRARY_PATH: the wheel's own libraries, and Python's.
        is_container: Whether it is NVIDIA's container, which lacks nothing.
        interpreter: The folder of the ``python3`` through which the stub finds its packages.
    """

    home: Path
    libraries: tuple[Path, ...]
    is_container: bool = False
    interpreter: Path = Path(sys.executable).parent

    @property
    def server(self) -> Path:
        """The ``tritonserver`` binary."""
        return self.home / "bin" / "tritonserver"

    @property
    def caches(self) -> Path:
        """The folder of response cache implementations."""
        return self.home / "caches"

    def environment(self) -> dict[str, str]:
        """Return the environment to start the server in.

        The stub's interpreter finds its packages through the first ``python3`` on PATH, as after activation. Memory
        is asked for in huge pages, where the system grants them to who asks; GLIBC_TUNABLES of the user's come last,
        so they win. The container's stays as it is. ONNX Runtime is told to report nothing.
        """
        if self.is_container:
            return {**QUIET, **os.environ}
        inherited = os.environ.get("LD_LIBRARY_PATH", "")
        libraries = [*map(str, self.libraries), *filter(None, [inherited])]
        path = os.pathsep.join([str(self.interpreter), os.environ.get("PATH", os.defpath)])
        tunables = ":".join(filter(None, [HUGE_PAGES, os.environ.get("GLIBC_TUNABLES")]))
        return {
            **QUIET,
            **os.environ,
            "PATH": path,
            "LD_LIBRARY_PATH": os.pathsep.join(libraries),
            "GLIBC_TUNABLES": tunables,
        }


def find_installation() -> Installation:
    """Locate the server binary: NVIDIA's container's, else that of the PyPI wheel.

    Raises:
        NotInstalled: If the wheel, its stub for this Python, or Python's shared library is missing.
    """
    if (CONTAINER / "bin" / "tritonserver").is_file():
        return Installation(CONTAINER, (), is_container=True)
    try:
        site = Path(str(importlib.metadata.distribution(DISTRIBUTION).locate_file("")))
    except importlib.metadata.PackageNotFoundError as exc:
        remedy = f"pip install --no-deps {REQUIREMENT}"
        raise NotInstalled(f"the Triton server ({DISTRIBUTION})", remedy) from exc
    home = site / "pytriton" / "tritonserver"
    if not _stub(home).is_file():
        version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        raise NotInstalled(f"a Triton Python backend stub for {version}", "use Python 3.10 to 3.12")
    return Installation(home, (site / "nvidia_pytriton.libs", _python_library().parent))


def _stub(home: Path) -> Path:
    return home / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}" / STUB


def _python_library() -> Path:
    """Return Python's shared library, which the stub links to; a distribution may package it apart."""
    name = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    folders = (
        Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib"),
        Path(sys.prefix) / "lib",
        Path(sys.base_prefix) / "lib",  # a Python that was built elsewhere and moved here
        *SYSTEM_LIBRARIES,
    )
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    package = name.removesuffix(".so.1.0")
    raise NotInstalled(f"Python's shared library {name}", f"on Debian and Ubuntu, apt-get install {package}")


def lay_out_backends(installation: Installation, folder: Path) -> Path:
    """Return a backend directory: Triton's Python backend, our backends and the stand-ins, copied into ``folder``.

    Triton refuses a link that leads out of its backend directory. The container has its own, with ours among them.
    """
    if installation.is_container:
        return installation.home / "backends"
    python = folder / "python"
    shutil.copytree(installation.home / "backends" / "python", python)
    stub = python / STUB
    shutil.copyfile(_stub(installation.home), stub)
    stub.chmod(0o755)  # the wheel carries it without its run bit
    for backends in BACKEND_FOLDERS:
        for backend in backends.iterdir():
            if (backend / "model.py").is_file():
                shutil.copytree(backend, folder / backend.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
