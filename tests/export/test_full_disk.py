"""An import onto a disk without room, as the command meets it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import UNET_PATH, Clip
from tests.export.sources import tree

FACES_BYTES = 60 * 320 * 320 * 3


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a disk of some bytes, where this user may."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root's right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def run_import(clip: Clip, avatars: Path, model_repository: Path) -> tuple[int, list[str]]:
    """Import in a process of its own, as a signal may end it; return its exit code and what it said last."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "export", "avatar", "anna", *clip.source_arguments),
            *("--checkpoint", UNET_PATH, "--avatars", avatars, "--model-repository", model_repository),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr.splitlines()[-1:]


@pytest.mark.parametrize("size", [FACES_BYTES // 4, FACES_BYTES + 1_000_000])
def test_no_room_for_the_avatar(tmp_path: Path, clip: Clip, size: int) -> None:
    """Whether the frames do not fit or what comes after them: one sentence, exit code 1, and nothing stays."""
    disk = tmp_path / "disk"
    with small_disk(disk, size):
        code, said = run_import(clip, disk / "avatars", tmp_path / "models")
        assert said == [
            f"error: {disk}/avatars/anna: expected room on the disk to write it, got: no space left on device"
        ]
        assert code == 1
        assert tree(disk) == {}
    assert list(tree(tmp_path)) == ["disk"]


def test_no_room_for_the_models(tmp_path: Path, clip: Clip) -> None:
    """Where frames cannot be shared and do not fit, the model is not there, and no half of it is."""
    disk = tmp_path / "disk"
    with small_disk(disk, FACES_BYTES // 4):
        code, said = run_import(clip, tmp_path / "avatars", disk / "models")
        assert said == [
            f"error: {disk}/models/anna_frames: expected room on the disk to write it, got: no space left on device"
        ]
        assert code == 1
        assert {name.split("/")[1] for name in tree(disk) if "/" in name} == {"jpeg_encode"}
