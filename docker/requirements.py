"""Print the Python requirements of one image, of the tests or of the GPU benchmark, picked from ``pyproject.toml``.

Versions are written down once, as ranges. `make locks` locks those of images and tests: ``requirements/locks/`` has the
releases that are installed, by hash.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tomllib

__all__ = ["AGENTS", "GPU_BENCHMARK", "IMAGES", "TESTS", "requirements"]

ROOT = Path(__file__).parent.parent
CLIENTS = ROOT / "clients"
PROJECT, CLIENT = ROOT / "pyproject.toml", CLIENTS / "python" / "pyproject.toml"
WEB = {"grpcio-health-checking", "grpcio-reflection", "prometheus-client", "uvloop", "websockets"}
WIRE = {"grpcio", "numpy", "protobuf", "tritonclient"}
SOUND = {"soxr"}

IMAGES = {
    "triton": {*WIRE, *SOUND, "soundfile", "onnx", "onnxruntime", "opencv-python-headless", "tqdm"},
    "bridge": WIRE | WEB | SOUND,
    "triton-gpu": (WIRE - {"numpy"}) | {"opencv-python-headless"},  # numpy is the container's own
    "engines": {*WIRE, *SOUND, "soundfile", "onnx", "onnxruntime", "opencv-python-headless", "tqdm"},
}
"""What each image imports, by distribution name."""

TESTS = "test"
"""What `make LOCKED=1 test` and so CI install, of this project and of its client."""

GPU_BENCHMARK = "gpu-benchmark"
"""What is carried to a machine with a card without a network: all that serves, ONNX Runtime built for cards."""
AGENTS = "agents"
"""What `make LOCKED=1 test-agents` installs: the client and the adapters, with the frameworks that they are for."""

OWN = ("triton-lipsync", "lipsync-client")
UNLOCKED = {"torch"}
"""Taken from whichever index has the build for the machine: PyTorch's for CPUs has other hashes than that for GPUs."""


def requirements(environment: str) -> list[str]:
    """Return the requirement lines of an image, a key of IMAGES, of TESTS, AGENTS or GPU_BENCHMARK.

    Raises:
        KeyError: If there is no such image.
        ValueError: If ``pyproject.toml`` lacks one of its distributions.
    """
    project = _read(PROJECT)
    if environment == TESTS:
        lines = [*project["dependencies"], *_extra(project, "test"), *_client("http", "speech", "video")]
        return sorted({line for line in lines if _name(line) not in {*OWN, *UNLOCKED}})
    if environment == GPU_BENCHMARK:
        lines = [line for line in project["dependencies"] if _name(line) != "onnxruntime"]
        return sorted([*lines, *_extra(project, "gpu")])
    if environment == AGENTS:
        adapters = [_read(path) for path in CLIENTS.glob("*/pyproject.toml") if path != CLIENT]
        lines = _client("speech", "video")
        for adapter in adapters:
            lines += [*adapter["dependencies"], *_extra(adapter, "test")]
        return sorted({line for line in lines if _name(line) not in OWN})
    by_name = {_name(line): line for line in project["dependencies"]}
    missing = IMAGES[environment] - by_name.keys()
    if missing:
        raise ValueError(
            f"expected {', '.join(sorted(missing))} among pyproject.toml's dependencies, got none"
        )
    return [by_name[name] for name in sorted(IMAGES[environment])]


def _client(*extras: str) -> list[str]:
    client = _read(CLIENT)
    return [*client["dependencies"], *(line for extra in extras for line in _extra(client, extra))]


def _read(path: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return project


def _name(line: str) -> str:
    return re.split(r"[\[<>=~! ]", line, maxsplit=1)[0]


def _extra(project: dict[str, Any], extra: str) -> Iterable[str]:
    """Yield the lines of an extra, and of those of the project that it names."""
    for line in project["optional-dependencies"][extra]:
        if _name(line) != project["name"]:
            yield line
            continue
        for other in re.search(r"\[(.+)\]", line).group(1).split(","):  # type: ignore[union-attr]
            yield from _extra(project, other)


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
