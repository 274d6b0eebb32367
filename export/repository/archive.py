"""An avatar's folder as a tar archive, fetched by its address: whole, of known content, or not at all."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from export.errors import BadSource
from export.files import replacing_folder
from export.repository.avatar import check_name, read_avatar
from export.repository.entries import write_entries

__all__ = ["Archive", "fetch_avatar", "read_archives"]

TIMEOUT_S = 60.0
LARGEST_BYTES = 64 << 30
LIST_BYTES = 1 << 20
RECEIPT = "archive.sha256"
"""Tells, in an avatar's folder, which archive it is of."""


@dataclass(frozen=True)
class Archive:
    """Where an avatar comes from.

    Attributes:
        name: The avatar's, and that of the one folder in the archive.
        url: An address of HTTP, HTTPS or a file; never shown, as it may be signed.
        sha256: What its bytes come to, in hexadecimal digits.
    """

    name: str
    url: str
    sha256: str


def read_archives(path: Path) -> list[Archive]:
    """Read a list of archives: ``NAME URL SHA256`` in each line; empty ones and ``#`` are left out.

    Raises:
        BadSource: If the file cannot be read, or a line is something else.
        BadName: If a name cannot be an avatar's.
    """
    expected = "NAME URL SHA256 in each line"
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.read(LIST_BYTES).splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSource(path, expected, getattr(exc, "strerror", None) or "no text") from exc
    archives = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if len(words) != 3 or len(words[2]) != 64:  # the line itself is told to nobody
            raise BadSource(path, expected, f"something else in line {number}")
        check_name(words[0])
        archives.append(Archive(words[0], words[1], words[2].lower()))
    return archives


def fetch_avatar(archive: Archive, avatars: Path, model_repository: Path) -> bool:
    """Put an avatar into a folder of avatars, and its models into a repository, unless the very same one is there.

    Returns:
        Whether it was fetched.

    Raises:
        BadSource: If the archive cannot be fetched, is another one, or holds no avatar of the name.
        DiskFull: If there is no room.
    """
    folder = avatars / archive.name
    receipt = folder / RECEIPT
    is_there = receipt.is_file() and receipt.read_text(encoding="ascii").strip() == archive.sha256
    if is_there and (model_repository / archive.name / "config.pbtxt").is_file():
        return False
    if not is_there:
        with replacing_folder(folder) as new:
            _unpack(archive, new)
            (new / RECEIPT).write_text(f"{archive.sha256}\n", encoding="ascii")
    write_entries(folder, model_repository)
    return True


def _unpack(archive: Archive, folder: Path) -> None:
    """Fetch an archive into an empty folder; whatever is in it, only files of that folder are written."""
    source = Path(archive.name)
    try:
        with urllib.request.urlopen(archive.url, timeout=TIMEOUT_S) as answer:
            hashed = _Hashed(answer)
            with tarfile.open(fileobj=hashed, mode="r|*") as tar:  # type: ignore[call-overload]
                for member in tar:
                    _write_member(archive, tar, member, folder)
            hashed.finish()
    except tarfile.TarError as exc:
        raise BadSource(source, "a tar archive at its address", f"another content ({exc})") from exc
    except urllib.error.HTTPError as exc:
        exc.close()
        raise BadSource(source, "an archive at its address", f"status {exc.code}") from exc
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        TimeoutError,
        ConnectionError,
        ValueError,
    ) as exc:
        reason = exc.reason if isinstance(exc, urllib.error.URLError) else type(exc).__name__
        raise BadSource(source, "an archive at its address", f"none ({reason})") from exc
    if hashed.digest != archive.sha256:
        raise BadSource(source, f"an archive of SHA-256 {archive.sha256}", hashed.digest)
    if (found := read_avatar(folder).name) != archive.name:
        raise BadSource(source, f"the avatar {archive.name} in the archive", found)


def _write_member(archive: Archive, tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    parts = PurePosixPath(member.name).parts
    inner = parts[parts[:1] == (".",) :]
    if member.isdir() and inner in ((), (archive.name,)):
        return
    expected = f"files in one folder {archive.name}"
    if not member.isreg() or len(inner) != 2 or inner[0] != archive.name or inner[1] in ("..", RECEIPT):
        raise BadSource(Path(archive.name), expected, member.name)
    content = tar.extractfile(member)
    assert content is not None  # as for every regular file
    with (folder / inner[1]).open("xb") as file:
        shutil.copyfileobj(content, file, 1 << 20)


class _Hashed:
    """A stream that is read once, and what its bytes come to."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._length = 0

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(size)
        self._length += len(content)
        if self._length > LARGEST_BYTES:
            raise tarfile.ReadError(f"more than {LARGEST_BYTES >> 30} GiB")
        self._sha256.update(content)
        return content

    def finish(self) -> None:
        """Read what is behind the archive's end."""
        while self.read(1 << 20):
            pass
