"""What stays when a start is killed together with all its processes, and how the next start removes it.

Whatever would stay lies under a lock that the kernel lifts with the last process of its start. So what nobody holds is
nobody's, in whichever container that was; what is held is not touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from embedded.guard import SHARED_MEMORY, kill_leftovers, remove_shared_memory

__all__ = ["held_folder", "held_prefix", "remove_leftovers"]

FOLDER = "triton-lipsync-"
LOCK_NAME = re.compile(r"(triton_[0-9a-f]{12}_)lock")
SECRET_NAME = re.compile(r"triton-\d+\.secret")


@contextlib.contextmanager
def held_folder() -> Iterator[Path]:
    """Lend a temporary folder, which the next start removes if this process cannot."""
    while True:
        with tempfile.TemporaryDirectory(prefix=FOLDER, ignore_cleanup_errors=True) as name:
            lock = _hold(Path(name))
            if lock is None:  # another start took it for a leftover
                continue
            try:
                yield Path(name)
            finally:
                os.close(lock)
            return


@contextlib.contextmanager
def held_prefix(secret_file: Path) -> Iterator[tuple[str, int]]:
    """Lend a prefix for the shared memory of one Triton, and the lock that its guard is to inherit.

    The next start removes that memory, and the file of the secret, once neither we nor the guard are alive.

    Raises:
        OSError: If the memory that processes share is full.
    """
    while True:
        prefix = f"triton_{uuid.uuid4().hex[:12]}_"
        try:
            lock = _new_lock(SHARED_MEMORY / f"{prefix}lock", secret_file)
            if lock is None:  # another start took it for a leftover
                continue
            try:
                yield prefix, lock
            finally:
                os.close(lock)
            return
        finally:
            remove_shared_memory(prefix)


def remove_leftovers() -> None:
    """Remove what starts of this user left that were killed with all their processes."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        with _held(folder) as is_ours:
            if is_ours:
                shutil.rmtree(folder, ignore_errors=True)
    for path in SHARED_MEMORY.glob("triton_*_lock"):
        match = LOCK_NAME.fullmatch(path.name)
        with _held(path) as is_ours:
            if match and is_ours:
                kill_leftovers(match[1])
                _remove_secret(path)
                remove_shared_memory(match[1])


def _remove_secret(lock: Path) -> None:
    """Remove the file of the secret that a lock names."""
    secret_file = Path(lock.read_text(encoding="utf-8"))
    if secret_file.parent == SHARED_MEMORY and SECRET_NAME.fullmatch(secret_file.name):
        secret_file.unlink(missing_ok=True)


def _new_lock(path: Path, secret_file: Path) -> int | None:
    try:
        path.write_text(str(secret_file), encoding="utf-8")
    except OSError as exc:
        exc.filename = str(path)
        raise
    return _hold(path)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[bool]:
    lock = _hold(path)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _hold(path: Path) -> int | None:
    """Lock a file or folder of ours and return the lock, to be closed; None if somebody holds it, or it is gone."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with contextlib.suppress(OSError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid == os.getuid() and path.exists():
            return lock
    os.close(lock)
    return None
