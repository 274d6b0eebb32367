"""The first step: what is measured, and with what. Nothing here may fail where a part of it is missing."""

from __future__ import annotations

import ctypes
from dataclasses import asdict
from importlib import metadata

from benchmarks.errors import NotAvailable
from benchmarks.gpu.device import open_device
from benchmarks.gpu.findings import Findings
from benchmarks.gpu.libraries import find_libraries
from benchmarks.gpu.memory import describe_card
from benchmarks.gpu.settings import Settings
from benchmarks.machine import describe_machine
from benchmarks.perf_analyzer import why_it_cannot_run
from embedded.errors import EmbeddedError
from embedded.installation import find_installation

__all__ = ["measure"]

PACKAGES = ("nvidia", "onnx", "tensorrt", "tritonclient", "numpy", "opencv", "grpcio")
DRIVER_LIBRARIES = ("libcuda.so.1", "libnvidia-ml.so.1")


def measure(settings: Settings, findings: Findings) -> None:
    """Tell of machine, card and libraries, and which of these the later steps can use."""
    findings.row("facts", what="machine", value=describe_machine())
    _card(settings, findings)
    libraries = find_libraries(settings)
    for library in libraries:
        value = library.version if not library.missing else f"missing: {library.missing}"
        findings.row("facts", what=library.name, value=value)
    findings.row("facts", what="packages", value=_packages())
    findings.row("facts", what="Triton", value=_triton())
    findings.row("facts", what="load generator", value=_generator())
    findings.found("libraries", [asdict(library) for library in libraries])


def _card(settings: Settings, findings: Findings) -> None:
    if not settings.has_card:
        findings.row(
            "facts", what="card", value="none: its place is taken by the CPU, so no figure says anything"
        )
        return
    try:
        for field, value in describe_card().items():
            findings.row("facts", what=field, value=value)
    except NotAvailable as exc:
        findings.row("facts", what="card", value=str(exc))
    for name in DRIVER_LIBRARIES:
        findings.row("facts", what=name, value="there" if _loads(name) else "missing")
    try:
        open_device(settings)
    except NotAvailable as exc:
        findings.found("no card", str(exc))


def _packages() -> str:
    """Return the installed packages that a card's figures depend on, by the beginnings of their names."""
    found = {
        f"{name} {distribution.version}"
        for distribution in metadata.distributions()
        if (name := str(distribution.metadata["Name"])).lower().startswith(PACKAGES)
    }
    return ", ".join(sorted(found))


def _triton() -> str:
    try:
        found = find_installation()
    except EmbeddedError as exc:
        return f"missing: {exc}"
    return f"{found.server}" if not found.is_container else f"{found.server}, of NVIDIA's container"


def _generator() -> str:
    missing = why_it_cannot_run()
    if not missing:
        return "perf_analyzer"
    return f"our own, in processes of Python, as perf_analyzer cannot run: {missing}"


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
