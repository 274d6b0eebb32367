"""demo/avatar.py"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from demo import avatar
from tests.conftest import Clip


def test_puts_the_avatar_into_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clip: Clip
) -> None:
    """The take that is served becomes avatar ``demo`` and its models; what was drawn on the way is gone."""
    drawn: list[Path] = []

    def draw(argv: list[str]) -> int:
        assert argv[1:4] == ["--take", "served", "--audio-encoder"]
        drawn.append(Path(argv[0]))
        shutil.copytree(clip.folder, drawn[0] / "served")
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(avatar.dataset, "main", draw)
    assert avatar.main() == 0
    assert (tmp_path / "avatars" / "demo" / "avatar.json").is_file()
    assert (tmp_path / "model_repository" / "demo" / "config.pbtxt").is_file()
    assert not drawn[0].exists()


def test_not_drawn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What cannot be drawn is not imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(avatar.dataset, "main", lambda argv: 1)
    assert avatar.main() == 1
    assert not list(tmp_path.iterdir())
