"""Write files and folders whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from export.errors import DiskFull

__all__ = ["link_or_copy", "new_array", "replacing_file", "replacing_folder", "temporary_folder"]

SUFFIX = ".part"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
PROBE_BYTES = 1 << 20


@contextlib.contextmanager
def replacing_folder(target: Path, workplace: Path | None = None) -> Iterator[Path]:
    """Lend a temporary folder beside ``target``, or in ``workplace``, and put it in its place when the block succeeds.

    An older ``target`` goes only when the new one is complete. On any exception, Ctrl-C included, the temporary
    folder is removed and ``target`` stays as it was; after SIGKILL, whoever writes there next removes it.

    Raises:
        DiskFull: If the block fails as there is no room.
    """
    with temporary_folder(target, workplace or target.parent) as temporary:
        new = temporary / "new"
        new.mkdir()
        yield new
        _put_in_place(new, target, temporary)


@contextlib.contextmanager
def replacing_file(target: Path) -> Iterator[Path]:
    """Lend a temporary path beside ``target`` and put the file in its place when the block succeeds.

    Raises:
        DiskFull: If the block fails as there is no room.
    """
    with temporary_folder(target, target.parent) as temporary:
        new = temporary / target.name
        yield new
        new.replace(target)


def new_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Map a new ``.npy`` file into memory, to be filled and flushed.

    The disk sets all its bytes aside first: one that is full only later ends whoever writes to the map by SIGBUS.

    Raises:
        OSError: If there is no room.
    """
    open_memmap = np.lib.format.open_memmap
    array: np.memmap[Any, Any] = open_memmap(path, mode="w+", dtype=dtype, shape=shape)  # type: ignore[no-untyped-call]
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def link_or_copy(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to ``source``, or a copy where file systems differ."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _put_in_place(new: Path, target: Path, temporary: Path) -> None:
    """Rename ``new`` to ``target``; what was there goes into ``temporary``, be it another writer's of just now."""
    for number in itertools.count():
        old = temporary / f"old{number}"
        try:
            with contextlib.suppress(FileNotFoundError):
                target.rename(old)
            new.rename(target)
            return
        except BaseException as exc:  # Ctrl-C between the two included
            if isinstance(exc, OSError) and exc.errno in (errno.ENOTEMPTY, errno.EEXIST):
                continue
            if old.exists() and not target.exists():
                old.rename(target)
            raise


@contextlib.contextmanager
def temporary_folder(target: Path, workplace: Path) -> Iterator[Path]:
    """Lend a temporary folder in ``workplace``; parents made for ``target`` go again when the block fails.

    Raises:
        DiskFull: If the block fails as there is no room.
    """
    made = [parent for parent in target.parents if not parent.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _remove_leftovers(workplace)
        with _held_folder(f".{target.name}-", workplace) as temporary:
            try:
                yield temporary
            except (OSError, RuntimeError) as exc:
                reason = _full(exc, temporary)
                if reason is None:
                    raise
                raise DiskFull(target, reason) from exc
    except BaseException:
        for parent in made:
            with contextlib.suppress(OSError):  # another process may have put something there
                parent.rmdir()
        raise


@contextlib.contextmanager
def _held_folder(prefix: str, workplace: Path) -> Iterator[Path]:
    """Lend a temporary folder under a lock that the kernel lifts when this process ends, however it ends."""
    while True:
        with tempfile.TemporaryDirectory(
            prefix=prefix, suffix=SUFFIX, dir=workplace, ignore_cleanup_errors=True
        ) as name:
            try:
                lock = _lock(Path(name))
            except OSError:  # another writer took it for a leftover
                continue
            try:
                yield Path(name)
            finally:
                if lock is not None:
                    os.close(lock)
            return


def _remove_leftovers(workplace: Path) -> None:
    """Remove temporary folders whose writers were killed."""
    for folder in workplace.glob(f".*-????????{SUFFIX}"):
        with contextlib.suppress(OSError):  # its writer lives, or it is gone
            lock = _lock(folder)
            if lock is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder and return the lock, to be closed; None where the file system has no locks.

    Raises:
        BlockingIOError: If somebody holds it.
        FileNotFoundError: If it is gone.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.stat()
    except (BlockingIOError, FileNotFoundError):
        os.close(lock)
        raise
    except OSError:
        os.close(lock)
        return None
    return lock


def _full(exc: OSError | RuntimeError, folder: Path) -> str | None:
    """Return the system's words if an error is for want of room, else None.

    NumPy and PyTorch do not say why they could not write; then we look whether we could.
    """
    code = exc.errno if isinstance(exc, OSError) and exc.errno else _probe(folder)
    return os.strerror(code).lower() if code in FULL else None


def _probe(folder: Path) -> int | None:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, PROBE_BYTES)
    except OSError as exc:
        return exc.errno
    return None
