"""export/files.py"""

import os
from pathlib import Path

import pytest

from export.files import link_or_copy, replacing_file, replacing_folder
from tests.export.sources import tree


def write_folder(target: Path, text: str, error: type[BaseException] | None = None) -> None:
    with replacing_folder(target) as new:
        (new / "file").write_text(text)
        if error:
            raise error


def write_file(target: Path, content: bytes, error: type[BaseException]) -> None:
    with replacing_file(target) as path:
        path.write_bytes(content)
        raise error


def test_folder_appears_when_complete(tmp_path):
    """Nothing is at the target until the block ends; then the folder is, readable by all, and nothing beside it."""
    target = tmp_path / "avatars" / "demo"
    with replacing_folder(target) as new:
        (new / "file").write_text("new")
        assert not target.exists()
        assert new.stat().st_dev == tmp_path.stat().st_dev
    assert list(tree(tmp_path)) == ["avatars", "avatars/demo", "avatars/demo/file"]
    assert target.stat().st_mode == tmp_path.joinpath("avatars").stat().st_mode


def test_an_older_folder_goes_whole(tmp_path):
    """A folder replaced keeps none of its former files."""
    target = tmp_path / "demo"
    target.mkdir()
    (target / "left over").touch()
    write_folder(target, "new")
    assert list(tree(tmp_path)) == ["demo", "demo/file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_older_folder(tmp_path, error):
    """On any exception the older folder stays as it was and the new one is gone."""
    target = tmp_path / "demo"
    write_folder(target, "old")
    before = tree(tmp_path)
    with pytest.raises(error):
        write_folder(target, "half", error)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("replacing", [replacing_folder, replacing_file])
def test_failure_leaves_no_new_parents(tmp_path, replacing):
    """Parents made for a target that never came go again."""
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a" / "b" / "demo"):
        raise KeyboardInterrupt
    assert tree(tmp_path) == {}


def test_interrupted_between_the_renames(tmp_path, monkeypatch):
    """Ctrl-C after the older folder was set aside and before the new one took its place puts the older back."""
    target = tmp_path / "demo"
    write_folder(target, "old")
    before = tree(tmp_path)
    rename = Path.rename

    def interrupted(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(target, "new")
    assert tree(tmp_path) == before


def test_file_is_replaced_whole(tmp_path):
    """A file is replaced when the block ends, its missing parents made, and nothing stays beside it."""
    target = tmp_path / "deep" / "model.plan"
    for content in (b"first", b"second"):
        with replacing_file(target) as path:
            path.write_bytes(content)
            assert not target.exists() or target.read_bytes() == b"first"
        assert target.read_bytes() == content
    assert list(tree(tmp_path)) == ["deep", "deep/model.plan"]


def test_failure_leaves_the_older_file(tmp_path):
    """On an exception the older file stays as it was."""
    target = tmp_path / "model.plan"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        write_file(target, b"half", KeyboardInterrupt)
    assert target.read_bytes() == b"old"
    assert list(tree(tmp_path)) == ["model.plan"]


def test_link_shares_the_bytes(tmp_path):
    """On one file system both names are one file."""
    source = tmp_path / "source"
    source.write_bytes(b"data")
    link_or_copy(source, tmp_path / "target")
    assert (tmp_path / "target").samefile(source)


def test_copy_where_links_are_refused(tmp_path, monkeypatch):
    """Where no hard link can be made, the file is copied."""

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = tmp_path / "source"
    source.write_bytes(b"data")
    link_or_copy(source, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"data"
    assert not (tmp_path / "target").samefile(source)
