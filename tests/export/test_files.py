"""export/files.py"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export.errors import DiskFull
from export.files import link_or_copy, new_array, replacing_file, replacing_folder
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


KILLED = """
import signal, sys
from pathlib import Path
from export.files import replacing_folder
with replacing_folder(Path(sys.argv[1])) as new:
    (new / "file").touch()
    print("writing", flush=True)
    signal.pause()
"""
FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from export.files import new_array
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
new_array(Path(sys.argv[1]), np.uint8, (10, 1000))[:] = 1
"""


def write_killed(target: Path) -> None:
    """Have a process write a folder, and end it by SIGKILL."""
    with subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        process.kill()


def test_sigkill_leaves_nothing_for_long(tmp_path):
    """What a killed writer left goes when the next one writes there; what is being written stays."""
    write_killed(tmp_path / "demo")
    assert len(list(tree(tmp_path))) == 3
    with replacing_folder(tmp_path / "other") as other:
        assert {path.split("/")[0] for path in tree(tmp_path)} == {other.parent.name}
        write_folder(tmp_path / "demo", "new")
        assert other.exists()
    assert list(tree(tmp_path)) == ["demo", "demo/file", "other"]


def test_two_writers_of_one_folder(tmp_path, monkeypatch):
    """Where another writer's folder comes between, the one that ends last is there whole, and nothing else."""
    target, rename, others = tmp_path / "demo", Path.rename, iter(["second", "third"])
    write_folder(target, "first")

    def overtaken(self: Path, to: Path) -> Path:
        text = next(others, None) if self.name == "new" else None
        if text:
            to.mkdir()
            (to / "file").write_text(text)
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    write_folder(target, "last")
    assert (target / "file").read_text() == "last"
    assert list(tree(tmp_path)) == ["demo", "demo/file"]


def test_new_array(tmp_path):
    """What is written into it is what NumPy reads, and the disk has set all of it aside."""
    array = new_array(tmp_path / "a.npy", np.int16, (3, 100_000))
    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= array.nbytes
    array[:] = np.arange(3)[:, None]
    array.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.arange(3)[:, None].repeat(100_000, 1))


def test_new_array_without_room(tmp_path):
    """Without room for it the array is refused, where writing to a map would end the process by SIGBUS."""
    command = [sys.executable, "-c", FULL_DISK, tmp_path / "a.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "OSError: [Errno 27] File too large" in done.stderr


@pytest.fixture
def small_disk():
    """Let this process write no file beyond 100 000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def plain(path: Path) -> None:
    path.write_bytes(bytes(200_000))


def numpys(path: Path) -> None:
    np.save(path, np.zeros(200_000, np.uint8))


def mapped(path: Path) -> None:
    new_array(path, np.uint8, (200_000,))


@pytest.mark.parametrize("write", [plain, numpys, mapped])
@pytest.mark.usefixtures("small_disk")
def test_full_disk(tmp_path, write):
    """Whoever runs out of room, its sentence names what is missing, and nothing of it stays."""
    with pytest.raises(DiskFull) as caught, replacing_folder(tmp_path / "avatars" / "demo") as new:
        write(new / "faces.npy")
    path = tmp_path / "avatars" / "demo"
    assert str(caught.value) == f"{path}: expected room on the disk to write it, got: file too large"
    assert tree(tmp_path) == {}


def test_other_errors_are_no_full_disk(tmp_path):
    """An error for another reason stays what it is."""
    with pytest.raises(RuntimeError, match=r"^no$"), replacing_folder(tmp_path / "demo"):
        raise RuntimeError("no")
    with pytest.raises(FileNotFoundError), replacing_file(tmp_path / "file") as path:
        path.read_bytes()
