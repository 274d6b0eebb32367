"""The job ``engines`` builds every avatar's plan, here with tensorrt_rtx, into a repository of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tests.conftest import Workspace
from tests.docker.tools import run_script


def test_every_avatar_gets_its_engine(tmp_path: Path, workspace: Workspace) -> None:
    """A plan per avatar, configs that name it, the plain repository untouched; a second run keeps the entries."""
    shutil.copytree(workspace.avatars / "demo", tmp_path / "avatars" / "demo")
    repository = tmp_path / "gpu"
    for _ in range(2):
        done = run_script(
            "build_engines.py",
            *("--avatars", tmp_path / "avatars", "--model-repository", repository),
            *("--ready-file", tmp_path / "gpu.ready", "--revision", "7"),
        )
        assert done.returncode == 0, done.stderr
        assert "batch 1 to 16" in done.stdout
    assert (tmp_path / "gpu.ready").read_text() == "7\n"
    unet = repository / "demo_unet"
    for path in (unet / "config.pbtxt", *(unet / "configs").glob("*.pbtxt")):
        config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
        assert config.backend == "tensorrt"
        assert config.default_model_filename.endswith(".plan")
        assert (unet / "1" / config.default_model_filename).stat().st_size > 1_000_000
    assert [path.name for path in (repository / "demo").iterdir() if path.name.isdecimal()] == ["1"]


def test_no_avatar(tmp_path: Path) -> None:
    """An empty volume is one sentence and exit code 1."""
    done = run_script("build_engines.py", "--avatars", tmp_path)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {tmp_path}: expected an imported avatar, got none\n",
    )


def test_an_avatar_that_is_broken(tmp_path: Path) -> None:
    """An avatar that cannot be read is one sentence and exit code 1."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "avatar.json").write_text("{")
    done = run_script(
        "build_engines.py",
        *("--avatars", tmp_path, "--model-repository", tmp_path / "gpu", "--ready-file", tmp_path / "ready"),
    )
    assert (done.returncode, (tmp_path / "ready").exists()) == (1, False)
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
