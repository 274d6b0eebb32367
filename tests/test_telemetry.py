"""ONNX Runtime's wheels report to their maker where nobody forbids it; nothing here lets them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_rooms import MAY_IMPORT, ROOT, imported, modules

SWITCH = "ORT_DISABLE_TELEMETRY"
APART = {"embedded", "backends"}
"""Folders of backends, which run in Triton's environment."""


def importers() -> list[str]:
    """Return the folders with a module that imports ONNX Runtime."""
    return [
        folder
        for folder in sorted(MAY_IMPORT.keys() - APART)
        if any(name.startswith("onnxruntime") for path in modules(folder) for name in imported(path))
    ]


def environment(**settings: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != SWITCH}, **settings}


@pytest.mark.parametrize("folder", importers())
def test_each_folder_that_imports_it_forbids_it_first(folder: str) -> None:
    """The switch is set before any module of the folder can import it, and the user's own value stays."""
    program = f"import os, {folder}; print(os.environ[{SWITCH!r}])"
    for settings, value in (({}, "1"), ({SWITCH: "0"}, "0")):
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=ROOT, env=environment(**settings), capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == value


def test_it_is_silent(tmp_path: Path) -> None:
    """With a session made by our code, the library keeps no file of its reports, as it does without the switch."""
    program = "from speech.features import open_encoder; from pathlib import Path; open_encoder(Path({!r}))"
    command = [sys.executable, "-c", program.format(str(ROOT / "demo" / "audio_encoder.onnx"))]
    subprocess.run(command, cwd=ROOT, env=environment(TMPDIR=str(tmp_path), HOME=str(tmp_path)), check=True)
    assert list(tmp_path.rglob("*")) == []


def test_images() -> None:
    """Every image of ours has the switch in its environment."""
    for name in ("Dockerfile", "gpu.Dockerfile"):
        text = (ROOT / "docker" / name).read_text()
        assert text.count(f"{SWITCH}=1") == text.count("PYTHONPATH=")
