"""Copy a package that others may write to, before it is read: what was looked at is what is read, whatever they do.

Every folder on the way is opened by its name within the one before, and no link is followed, so that none that is put
there meanwhile leads anywhere either.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from export.bounds import PACKAGE_BYTES, PACKAGE_DEPTH, PACKAGE_FILES
from export.errors import BadFile, BadSource
from export.files import temporary_folder
from export.json_file import shown
from speech.errors import SpeechError

__all__ = ["check_links", "private_copy"]

FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
CHUNK_BYTES = 1 << 20
PLAIN = "plain files and folders, and no links"


@contextlib.contextmanager
def private_copy(root: Path, folder: Path, target: Path) -> Iterator[Path]:
    """Lend a copy of a package; what is then said of its files is said of the package's.

    Args:
        root: A folder that its owner trusts.
        folder: The package, below ``root``.
        target: The avatar's folder to be, beside which there is room.

    Raises:
        BadSource: If the package holds anything but plain files and folders, lies elsewhere or is too large.
        DiskFull: If there is no room.
        OSError: If it cannot be read.
    """
    names = _below(root, folder)
    with temporary_folder(target, target.parent) as temporary:
        copy = temporary / folder.name
        _Copier(folder).copy(root, names, copy)
        try:
            yield copy
        except (BadFile, SpeechError) as exc:
            if not exc.path.is_relative_to(copy):
                raise
            raise type(exc)(folder / exc.path.relative_to(copy), exc.expected, exc.got) from exc


def check_links(folder: Path) -> None:
    """Check that no link of a package leads out of it: a package may come from anybody.

    Raises:
        BadSource: By name of the first that does.
    """
    inside = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            if path.is_symlink() and not _resolves_within(path, inside):
                raise BadSource(
                    folder, "links within the package", f"{shown(repr(name))}, which leads out of it"
                )


def _resolves_within(path: Path, folder: Path) -> bool:
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):  # links in a circle
        return False


def _below(root: Path, folder: Path) -> tuple[str, ...]:
    """Return the names on the way from one folder to another."""
    names = folder.relative_to(root).parts if folder.is_relative_to(root) else ()
    if not names or ".." in names:
        raise BadSource(folder, f"a folder below {root}", "another")
    return names


class _Copier:
    """Copies a package, and counts what it has copied."""

    def __init__(self, package: Path) -> None:
        self._package = package
        self._files = self._bytes = 0

    def copy(self, root: Path, names: tuple[str, ...], target: Path) -> None:
        """Copy the folder that is reached from ``root`` by ``names``."""
        number = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                inner = self._open(name, number)
                os.close(number)
                number = inner
            self._copy_folder(number, target, PACKAGE_DEPTH)
        finally:
            os.close(number)

    def _open(self, name: str, within: int) -> int:
        """Open what has a name within a folder, unless it is a link; where nothing has it, say so."""
        try:
            return os.open(name, FLAGS, dir_fd=within)
        except FileNotFoundError as exc:
            raise BadSource(self._package, "a package's folder", "nothing there") from exc
        except OSError as exc:  # a link or a socket, or the name is no folder's on the way
            raise self._refused(name) from exc

    def _copy_folder(self, number: int, target: Path, depth: int) -> None:
        if not depth:
            raise BadSource(self._package, f"folders at most {PACKAGE_DEPTH} deep", "deeper ones")
        if not stat.S_ISDIR(os.fstat(number).st_mode):
            raise BadSource(self._package, "a package's folder", "a file")
        target.mkdir()
        for name in os.listdir(number):
            inner = self._open(name, number)
            try:
                self._copy_inner(inner, name, target / name, depth)
            finally:
                os.close(inner)

    def _copy_inner(self, number: int, name: str, target: Path, depth: int) -> None:
        self._files += 1
        if self._files > PACKAGE_FILES:
            raise BadSource(self._package, f"up to {PACKAGE_FILES} files and folders", "more")
        mode = os.fstat(number).st_mode
        if stat.S_ISDIR(mode):
            self._copy_folder(number, target, depth - 1)
        elif stat.S_ISREG(mode):
            self._copy_file(number, target)
        else:
            raise self._refused(name)

    def _copy_file(self, number: int, target: Path) -> None:
        with os.fdopen(os.dup(number), "rb") as source, target.open("wb") as copy:
            while chunk := source.read(CHUNK_BYTES):
                self._bytes += len(chunk)
                if self._bytes > PACKAGE_BYTES:
                    raise BadSource(self._package, f"up to {PACKAGE_BYTES >> 30} GiB in all", "more")
                copy.write(chunk)

    def _refused(self, name: str) -> BadSource:
        return BadSource(self._package, PLAIN, f"{shown(repr(name))} in it")
