"""embedded/leftovers.py"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

from embedded.control import default_path
from embedded.leftovers import held_folder, held_prefix, remove_leftovers
from tests.embedded.conftest import ROOT
from tests.embedded.processes import STUB, find_family
from tests.embedded.test_main import announced, command

SHARED_MEMORY = Path("/dev/shm")
PARENT = """
import signal, subprocess, sys
from pathlib import Path
from embedded.leftovers import held_prefix
with held_prefix(Path("/nowhere")) as (prefix, lock):
    guard = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], pass_fds=(lock,))
    print(prefix, guard.pid, flush=True)
    signal.pause()
"""


def test_what_is_held_stays(tmp_path: Path) -> None:
    """Folder and shared memory of a start that lives are not touched by another, and go when it ends."""
    with held_folder() as folder, held_prefix(tmp_path / "secret") as (prefix, _):
        region = SHARED_MEMORY / f"{prefix}region"
        region.touch()
        (folder / "backends").mkdir()
        remove_leftovers()
        assert region.exists()
        assert (folder / "backends").exists()
    assert not list(SHARED_MEMORY.glob(f"{prefix}*"))
    assert not folder.exists()


def test_a_guard_holds_on() -> None:
    """While a guard that inherited the lock lives, what is its Triton's stays; afterwards it goes."""
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        prefix, guard = parent.stdout.readline().decode().split()
        parent.kill()
    region = SHARED_MEMORY / f"{prefix}region"
    region.touch()
    pidfd = os.pidfd_open(int(guard))
    remove_leftovers()
    assert region.exists()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    select.select([pidfd], [], [])
    os.close(pidfd)
    remove_leftovers()
    assert not list(SHARED_MEMORY.glob(f"{prefix}*"))


def test_what_is_not_ours_stays() -> None:
    """Folders and shared memory of other names, or of no start, are not touched."""
    mark = uuid.uuid4().hex[:12]
    names = (f"triton_{mark}", f"triton_{mark}_region", f"x{mark}_lock")
    others = [SHARED_MEMORY / name for name in names]
    folder = Path(tempfile.mkdtemp(prefix="triton-"))
    try:
        for other in others:
            other.touch()
        remove_leftovers()
        assert all(other.exists() for other in others)
        assert folder.exists()
    finally:
        folder.rmdir()
        for other in others:
            other.unlink(missing_ok=True)


def test_a_secret_of_elsewhere_stays(tmp_path: Path) -> None:
    """Of the files that a lock names, only a secret's in memory is removed."""
    other = tmp_path / "triton-8000.secret"
    other.touch()
    lock = SHARED_MEMORY / f"triton_{uuid.uuid4().hex[:12]}_lock"
    lock.write_text(str(other))
    remove_leftovers()
    assert not lock.exists()
    assert other.exists()


async def test_the_next_start_is_clean(repository: Path) -> None:
    """After SIGKILL of everything, shared memory, folder and secret stay until the next start removes them.

    What a start beside it uses stays.
    """
    async with command(repository) as other, command(repository) as first:
        beside = await announced(other)
        server = await announced(first)
        assert first.stdout is not None
        assert other.stdout is not None
        await asyncio.gather(first.stdout.readline(), other.stdout.readline())  # name the secrets' files
        family = find_family(f"--grpc-port={server.grpc_port}")
        folder = Path(family.member(STUB).command.split("\0")[0]).parents[2]
        secret, kept = default_path(server.http_port), default_path(beside.http_port)
        family.member("guard.py").kill(signal.SIGSTOP)  # it would clean up
        first.kill()
        for part in ("tritonserver", STUB, "guard.py"):
            family.member(part).kill()
        await first.wait()
        assert all(process.ended(within_s=20) for process in family.members)
        assert family.shared_memory()
        assert folder.exists()
        assert secret.exists()
        async with command(repository) as second:
            await announced(second)
            assert not family.shared_memory()
            assert not folder.exists()
            assert not secret.exists()
        assert kept.exists()
        assert find_family(f"--grpc-port={beside.grpc_port}").shared_memory()


async def test_sigkill_of_the_start_leaves_no_folder(repository: Path) -> None:
    """Where the guard lives on, it removes the folder with the rest."""
    async with command(repository) as process:
        server = await announced(process)
        family = find_family(f"--grpc-port={server.grpc_port}")
        folder = Path(family.member(STUB).command.split("\0")[0]).parents[2]
        process.kill()
        await asyncio.to_thread(family.wait_gone)
        assert not folder.exists()
