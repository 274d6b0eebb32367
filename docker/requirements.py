"""Print the Python requirements of one image, picked from ``pyproject.toml``: versions are written down once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import tomllib

__all__ = ["IMAGES", "requirements"]

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
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


def requirements(image: str) -> list[str]:
    """Return the requirement lines of ``image``, a key of IMAGES.

    Raises:
        KeyError: If there is no such image.
        ValueError: If ``pyproject.toml`` lacks one of its distributions.
    """
    lines = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    by_name = {re.split(r"[\[<>=~! ]", line, maxsplit=1)[0]: line for line in lines}
    missing = IMAGES[image] - by_name.keys()
    if missing:
        raise ValueError(
            f"expected {', '.join(sorted(missing))} among pyproject.toml's dependencies, got none"
        )
    return [by_name[name] for name in sorted(IMAGES[image])]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))
