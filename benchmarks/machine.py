"""What a figure was measured on: the machine and the versions that matter."""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path

__all__ = ["describe_machine", "today", "usable_cores"]

PACKAGES = ("onnxruntime", "nvidia-pytriton", "grpcio", "websockets", "numpy")
OTHER_NAMES = {"onnxruntime": ("onnxruntime-gpu",)}
"""Distributions that bring the same package under another name."""

GIGABYTE = 1 << 30


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def describe_machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return one line: processor, cores this process may use, memory, Python, libraries."""
    cores = usable_cores()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    versions = ", ".join(filter(None, map(_version, PACKAGES)))
    flag = "AVX-512" if "avx512f" in _first(cpuinfo, "flags").split() else "no AVX-512"
    name = _first(cpuinfo, "model name") or platform.machine()
    return (
        f"{cores} cores of {name} ({flag}), {memory:.0f} GiB; Python {platform.python_version()}, {versions}"
    )


def _version(name: str) -> str:
    """Return a distribution's name and version; empty where it is not installed, as in Triton's container."""
    for other in (name, *OTHER_NAMES.get(name, ())):
        try:
            return f"{other} {metadata.version(other)}"
        except metadata.PackageNotFoundError:
            continue
    return ""


def today() -> str:
    """Return the date, as ISO 8601 has it."""
    return datetime.date.today().isoformat()


def _first(cpuinfo: Path, key: str) -> str:
    """Return the first value of a key in the kernel's description of the processors; empty where it has none."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
