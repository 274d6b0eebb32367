"""Small model repositories that a real Triton loads in a moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Workspace

ROOT = Path(__file__).resolve().parents[2]

WAITING_MODEL = """
import threading

class TritonPythonModel:
    def initialize(self, args):
        threading.Event().wait()
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A model repository with the model ``jpeg_encode`` only, without its variant."""
    folder, model = tmp_path / "repository", ROOT / "model_repository" / "jpeg_encode"
    shutil.copytree(model, folder / "jpeg_encode", ignore=shutil.ignore_patterns("configs"))
    return folder


@pytest.fixture
def waiting_repository(tmp_path: Path) -> Path:
    """A model repository whose only model never finishes loading."""
    version = tmp_path / "waiting_repository" / "waiting" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(WAITING_MODEL)
    (version.parent / "config.pbtxt").write_text(
        'name: "waiting"\nbackend: "python"\n'
        'input { name: "x" data_type: TYPE_INT32 dims: 1 }\noutput { name: "y" data_type: TYPE_INT32 dims: 1 }\n'
    )
    return version.parents[1]


@pytest.fixture
def add_avatar(tmp_path: Path, workspace: Workspace) -> Callable[[str], Path]:
    """Put the models of an avatar of the workspace into a repository of the test's own, and return the repository."""
    folder = tmp_path / "avatar_repository"

    def add(avatar: str) -> Path:
        for name in ("jpeg_encode", f"{avatar}_frames", f"{avatar}_unet", avatar):
            if not (folder / name).exists():
                shutil.copytree(workspace.model_repository / name, folder / name, copy_function=_link_data)
        return folder

    return add


def _link_data(source: str, target: str) -> None:
    """Copy the configs, which a test may change; link the rest, which it may only replace."""
    if source.endswith(".pbtxt"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
