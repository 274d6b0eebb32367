"""export/repository/archive.py"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from export.errors import BadName, BadSource
from export.repository.archive import RECEIPT, Archive, fetch_avatar, read_archives
from tests.conftest import Workspace

ZEROS = "0" * 64


def packed(folder: Path, archive: Path, name: str = "") -> Archive:
    """Pack an avatar's folder, and return where it is to be had."""
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, name or folder.name)
    return described(archive, name or folder.name)


def described(archive: Path, name: str) -> Archive:
    return Archive(name, archive.as_uri(), hashlib.sha256(archive.read_bytes()).hexdigest())


def of_members(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Archive:
    """Write an archive of just these members."""
    with tarfile.open(path, "w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return described(path, "anna")


@pytest.fixture(scope="module")
def demo(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The demo avatar, packed."""
    return packed(workspace.avatars / "demo", tmp_path_factory.mktemp("packed") / "demo.tar")


def test_an_avatar_is_fetched_once(demo: Archive, workspace: Workspace, tmp_path: Path) -> None:
    """All of its files come, and its models are written; the next time nothing is done."""
    folders = tmp_path / "volume" / "avatars", tmp_path / "volume" / "model_repository"
    assert fetch_avatar(demo, *folders) is True
    names = {path.name for path in (workspace.avatars / "demo").iterdir()}
    assert {path.name for path in (folders[0] / "demo").iterdir()} == names | {RECEIPT}
    faces = (folders[1] / "demo_frames" / "1" / "faces.npy").read_bytes()
    assert faces == (workspace.avatars / "demo" / "faces.npy").read_bytes()
    assert fetch_avatar(Archive("demo", "file:///nowhere", demo.sha256), *folders) is False


def test_another_archive_of_the_name_replaces_it(demo: Archive, workspace: Workspace, tmp_path: Path) -> None:
    """What has another sum is fetched anew, as a new version of the ensemble."""
    folders = tmp_path / "avatars", tmp_path / "model_repository"
    fetch_avatar(demo, *folders)
    shutil.copytree(workspace.avatars / "demo", tmp_path / "demo")
    (tmp_path / "demo" / "note").touch()
    other = packed(tmp_path / "demo", tmp_path / "other.tar")
    assert fetch_avatar(other, *folders) is True
    assert (folders[1] / "demo" / "2").is_dir()


def test_another_content_is_refused(demo: Archive, tmp_path: Path) -> None:
    """An archive that is not the one that was meant leaves nothing behind."""
    wrong = Archive("demo", demo.url, ZEROS)
    with pytest.raises(BadSource) as caught:
        fetch_avatar(wrong, tmp_path / "avatars", tmp_path / "models")
    assert str(caught.value) == f"demo: expected an archive of SHA-256 {ZEROS}, got {demo.sha256}"
    assert list(tmp_path.glob("avatars/*")) == list(tmp_path.glob("models/*")) == []


@pytest.mark.parametrize(
    "name", ["anna/../../evil", "/anna/evil", "anna/deep/evil", "bob/evil", "anna/..", "evil"]
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    """Only files of the one folder are written, whatever their names say."""
    archive = of_members(tmp_path / "evil.tar", (tarfile.TarInfo(name), b"evil"))
    with pytest.raises(BadSource) as caught:
        fetch_avatar(archive, tmp_path / "avatars", tmp_path / "models")
    assert str(caught.value) == f"anna: expected files in one folder anna, got {name}"
    assert list(tmp_path.rglob("evil")) == []


def test_a_link_is_refused(tmp_path: Path) -> None:
    """No link is made, which later files could be written through."""
    link = tarfile.TarInfo("anna/faces.npy")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(BadSource, match=r"expected files in one folder anna, got anna/faces\.npy"):
        fetch_avatar(
            of_members(tmp_path / "link.tar", (link, b"")), tmp_path / "avatars", tmp_path / "models"
        )


def test_no_archive_at_all(tmp_path: Path) -> None:
    """What is no tar, and an avatar of another name, are one sentence each."""
    (tmp_path / "text").write_text("no tar")
    with pytest.raises(
        BadSource, match=r"^anna: expected a tar archive at its address, got another content \("
    ):
        fetch_avatar(described(tmp_path / "text", "anna"), tmp_path / "avatars", tmp_path / "models")
    with pytest.raises(BadSource, match=r"^anna: expected an archive at its address, got none \("):
        fetch_avatar(Archive("anna", "file:///nowhere", ZEROS), tmp_path / "avatars", tmp_path / "models")


def test_another_avatar_within(workspace: Workspace, tmp_path: Path) -> None:
    """The folder's name and the avatar's own have to be one."""
    archive = packed(workspace.avatars / "demo", tmp_path / "demo.tar", "anna")
    with pytest.raises(BadSource) as caught:
        fetch_avatar(archive, tmp_path / "avatars", tmp_path / "models")
    assert str(caught.value) == "anna: expected the avatar anna in the archive, got demo"


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_over_http(demo: Archive, tmp_path: Path) -> None:
    """HTTP is fetched from, and a status that is none is said; the address, which may be signed, is not."""
    with served(Path(demo.url.removeprefix("file://")).parent) as url:
        there = Archive("demo", f"{url}/demo.tar", demo.sha256)
        assert fetch_avatar(there, tmp_path / "avatars", tmp_path / "models") is True
        with pytest.raises(BadSource) as caught:
            fetch_avatar(Archive("anna", f"{url}/a?key=1", ZEROS), tmp_path / "avatars", tmp_path / "models")
    assert str(caught.value) == "anna: expected an archive at its address, got status 404"


def test_lists(tmp_path: Path) -> None:
    """A line is an archive; anything else is refused by its number."""
    path = tmp_path / "archives"
    path.write_text(f"# ours\n\nanna https://host/anna.tar {'A' * 64}\n")
    assert read_archives(path) == [Archive("anna", "https://host/anna.tar", "a" * 64)]
    path.write_text("anna https://host/anna.tar?signed=secret\n")
    with pytest.raises(BadSource) as caught:
        read_archives(path)
    assert str(caught.value) == f"{path}: expected NAME URL SHA256 in each line, got something else in line 1"
    path.write_text(f"../anna https://host/anna.tar {ZEROS}\n")
    with pytest.raises(BadName):
        read_archives(path)
    with pytest.raises(BadSource, match=r"got No such file or directory$"):
        read_archives(tmp_path / "none")
