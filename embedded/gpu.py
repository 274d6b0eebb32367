"""``python -m embedded.gpu``: have that one of ONNX Runtime's two packages installed that suits this machine.

``onnxruntime`` computes on CPUs, ``onnxruntime-gpu`` on NVIDIA cards too. They install into the same folder, so that
never both may be there; pip does not know that. The file runs alone as well, before anything is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["main"]

PROJECT = "triton-lipsync"
CPU, GPU = "onnxruntime", "onnxruntime-gpu"
DEVICES = Path(__file__).parent / "backends" / "onnxruntime" / "devices.py"


class CannotInstall(Exception):
    """Raised when pip fails; what it said stands above."""

    def __init__(self, requirement: str) -> None:
        super().__init__(requirement)
        self.requirement = requirement

    def __str__(self) -> str:
        return f"expected to install {self.requirement}, and pip cannot"


def main(argv: Sequence[str] | None = None, prog: str = "python -m embedded.gpu") -> int:
    """Install what is needed; return 0, or 1 after one sentence of error."""
    parser = argparse.ArgumentParser(prog=prog, description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument(
        "use",
        nargs="?",
        choices=("auto", "0", "1"),
        default="auto",
        help="0: compute on the CPU; 1: on a card, or fail; auto: on a card where there is one (default)",
    )
    parser.add_argument("--check", action="store_true", help="look for the card only, and install nothing")
    args = parser.parse_args(argv)
    devices = _load_devices()
    try:
        card = None if args.use == "0" else devices.card_name(0)
    except devices.NoGpu as exc:
        if args.use == "1":
            return _fail(exc)
        card = None
    before = _installed()
    try:
        if not args.check:
            _install(GPU if card else CPU, card or "the CPU")
    except CannotInstall as exc:
        if args.use == "1" or not before or _installed() != before:
            return _fail(exc)
        print(f"{exc}: {' and '.join(before)} stays", file=sys.stderr)
    return 0


def _install(wanted: str, place: str) -> None:
    """Install one package and uninstall the other.

    The one that is wanted comes first, so that nothing is lost where it cannot be fetched; and once more in the end,
    from pip's cache, as the other takes files of both along.

    Raises:
        CannotInstall: If it cannot be fetched.
    """
    found = _installed()
    if found == [wanted]:
        return
    requirement = _requirement(wanted)
    size = ", with CUDA's libraries 2.5 GB on disk" if wanted == GPU else ""
    print(f"installing {requirement} for {place}{size}", flush=True)
    _pip(requirement, "install", requirement)
    if others := [package for package in found if package != wanted]:
        _pip(requirement, "uninstall", "--yes", *others)
        _pip(requirement, "install", "--force-reinstall", "--no-deps", requirement)


def _requirement(package: str) -> str:
    """Return a package with the extras and releases that this project's own description names."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.requires(PROJECT) or []:
            requirement = line.partition(";")[0].strip()
            if re.split(r"[\[<>=~! ]", requirement, maxsplit=1)[0] == package:
                return requirement
    return f"{package}[cuda,cudnn]" if package == GPU else package


def _installed() -> list[str]:
    found = []
    for package in (CPU, GPU):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.distribution(package)
            found.append(package)
    return found


def _pip(requirement: str, command: str, *arguments: str) -> None:
    quietly = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*quietly, command, *arguments], check=False).returncode:
        raise CannotInstall(requirement)


def _load_devices() -> ModuleType:
    """Return the backend's module that knows cards; Triton's backends are no package."""
    spec = importlib.util.spec_from_file_location("lipsync_devices", DEVICES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fail(exc: Exception) -> int:
    print(f"error: {exc}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
