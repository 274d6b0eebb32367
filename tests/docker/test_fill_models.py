"""The job ``avatars`` fills a volume with the demo avatar, leaves what is there, and refuses what cannot work."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.docker.tools import run_script


def fill(volume: Path, workspace: Workspace, *extra: str) -> tuple[int, str, str]:
    """Run the job; return exit code, output and errors."""
    demo = workspace.avatars / "demo"
    done = run_script("fill_models.py", "--volume", volume, "--demo-avatar", demo, *extra)
    return done.returncode, done.stdout, done.stderr


def test_an_empty_volume_gets_the_demo_once(tmp_path: Path, workspace: Workspace) -> None:
    """The first run imports the demo avatar, the next one changes nothing."""
    assert fill(tmp_path, workspace) == (0, f"{tmp_path}: demo\n", "")
    models = {path.name for path in (tmp_path / "model_repository").iterdir()}
    assert models == {
        "demo",
        "demo_frames",
        "demo_unet",
        "demo_speech",
        "demo_live",
        "jpeg_encode",
        "jpeg_live",
    }
    first = (tmp_path / "model_repository" / "demo" / "config.pbtxt").stat()
    assert fill(tmp_path, workspace) == (0, f"{tmp_path}: demo\n", "")
    assert (tmp_path / "model_repository" / "demo" / "config.pbtxt").stat() == first


def test_a_newer_demo_replaces_the_old_one(tmp_path: Path, workspace: Workspace) -> None:
    """The demo of another build is put in its place, as a new version of the ensemble."""
    fill(tmp_path, workspace)
    (tmp_path / "avatars" / "demo" / "unet.onnx").write_bytes(b"another build's")
    assert fill(tmp_path, workspace)[0] == 0
    assert (tmp_path / "model_repository" / "demo" / "2").is_dir()


def test_other_avatars_stay(tmp_path: Path, workspace: Workspace) -> None:
    """Imported avatars are left alone, and suffice where the demo is not wanted."""
    fill(tmp_path, workspace)
    (tmp_path / "model_repository" / "demo_frames").rename(tmp_path / "model_repository" / "anna_frames")
    assert fill(tmp_path, workspace, "--demo", "no") == (0, f"{tmp_path}: anna\n", "")


def test_an_empty_volume_without_the_demo(tmp_path: Path, workspace: Workspace) -> None:
    """Nothing to serve is one sentence and exit code 1."""
    expected = "an imported avatar in it (LIPSYNC_DEMO=yes puts the demo there)"
    sentence = f"error: models volume {tmp_path}: expected {expected}, got none\n"
    assert fill(tmp_path, workspace, "--demo", "no") == (1, "", sentence)


def test_a_volume_that_cannot_be_written_to(tmp_path: Path, workspace: Workspace) -> None:
    """A volume that cannot be written to is one sentence and exit code 1."""
    volume = tmp_path / "models"
    volume.touch()
    expected = f"one that user {os.getuid()} can write to"
    sentence = f"error: models volume {volume}: expected {expected}, got not a directory\n"
    assert fill(volume, workspace) == (1, "", sentence)


def test_avatars_are_fetched(tmp_path: Path, workspace: Workspace) -> None:
    """Archives of a list are put there, beside the demo or without it; then a file says that the volume is ready."""
    with tarfile.open(tmp_path / "second.tar", "w") as tar:
        tar.add(workspace.avatars / "second", "second")
    digest = hashlib.sha256((tmp_path / "second.tar").read_bytes()).hexdigest()
    listed, ready, volume = tmp_path / "list", tmp_path / "volume" / "avatars.ready", tmp_path / "volume"
    listed.write_text(f"second {(tmp_path / 'second.tar').as_uri()} {digest}\n")
    arguments = ("--demo=no", f"--fetch={listed}", f"--ready-file={ready}", "--revision=7")
    assert fill(volume, workspace, *arguments) == (0, f"fetched second\n{volume}: second\n", "")
    assert ready.read_text() == "7\n"
    assert fill(volume, workspace, *arguments) == (0, f"{volume}: second\n", "")


def test_an_archive_that_is_another(tmp_path: Path, workspace: Workspace) -> None:
    """What is not what was meant is one sentence and exit code 1, and the volume is not ready."""
    (tmp_path / "list").write_text(f"anna {(tmp_path / 'list').as_uri()} {'0' * 64}\n")
    ready = tmp_path / "ready"
    code, _, errors = fill(tmp_path, workspace, f"--fetch={tmp_path / 'list'}", f"--ready-file={ready}")
    assert (code, errors.startswith("error: anna: expected a tar archive at its address, got")) == (1, True)
    assert not ready.exists()


@pytest.mark.parametrize("answer", ["perhaps", ""])
def test_a_wrong_answer_about_the_demo(tmp_path: Path, workspace: Workspace, answer: str) -> None:
    """LIPSYNC_DEMO is yes or no."""
    code, _, errors = fill(tmp_path, workspace, "--demo", answer)
    assert (code, "invalid choice" in errors) == (2, True)
