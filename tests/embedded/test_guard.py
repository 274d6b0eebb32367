"""embedded/guard.py"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import signal
import struct
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import pytest

from embedded.guard import (
    KILL,
    READY,
    SECRET_PLACE,
    SECRET_VARIABLE,
    STOP,
    kill_leftovers,
    remove_shared_memory,
)
from embedded.server import GUARD
from tests.embedded.processes import WAIT_S, wait_until

# prints its own process id and that of a child it never waits for, then waits for a signal
PROGRAM = """
import os, signal, subprocess, sys
{prepare}
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(os.getpid(), child.pid, flush=True)
while True: signal.pause()
"""
SECRET = "a_secret-of-24-characters"
IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
EXIT_ON_SIGTERM = "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))"


def forbid_tracing() -> None:
    """Have the system refuse ``ptrace`` to this process and its children, as a hardened machine may."""
    number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
    load_number, equals, give, error, allow = 0x20, 0x15, 0x06, 0x00050000 | errno.EPERM, 0x7FFF0000
    lines = [(load_number, 0, 0, 0), (equals, 0, 1, number), (give, 0, 0, error), (give, 0, 0, allow)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(lines), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # no new privileges, which a filter asks for
    assert libc.prctl(22, 2, program, 0, 0) == 0


@dataclass
class Guarded:
    """A guard, our end of its lifeline, and the two processes it keeps: their server's number, and pidfds of both."""

    guard: subprocess.Popen[str]
    lifeline: FileIO
    server_pid: int
    pidfds: list[int]

    def returncode(self) -> int:
        """Wait for the guard; what it kept must have ended before it."""
        code = self.guard.wait(WAIT_S)
        for pidfd in self.pidfds:
            with pytest.raises(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, 0)
        return code


@contextlib.contextmanager
def guarded(
    prepare: str = "",
    stop_timeout_s: float = WAIT_S,
    prefix: str = "triton_test_",
    *arguments: str,
    secret_file: str = "/nowhere",
    folder: str = "/nowhere",
    program: str = PROGRAM,
    before: Callable[[], None] | None = None,
) -> Iterator[Guarded]:
    theirs, ours = os.pipe()
    text = program.format(prepare=prepare) if program is PROGRAM else program
    guard = subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-S",
            GUARD,
            str(theirs),
            str(stop_timeout_s),
            prefix,
            secret_file,
            folder,
            "--",
            *(sys.executable, "-c", text, *arguments),
        ],
        preexec_fn=before,
        pass_fds=(theirs,),
        stdout=subprocess.PIPE,
        env={**os.environ, SECRET_VARIABLE: SECRET},
        text=True,
    )
    os.close(theirs)
    with guard, FileIO(ours, "w") as lifeline:
        assert guard.stdout is not None
        pids = [int(pid) for pid in guard.stdout.readline().split()]
        pidfds = [os.pidfd_open(pid) for pid in pids]
        try:
            yield Guarded(guard, lifeline, pids[0], pidfds)
        finally:
            guard.kill()
            for pidfd in pidfds:
                os.close(pidfd)


@contextlib.contextmanager
def shared_memory(name: str) -> Iterator[Path]:
    path = Path("/dev/shm") / name
    path.touch()
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def test_stops_in_good_order() -> None:
    """A byte in the lifeline is SIGTERM for the server; the exit code is its own, and its child goes too."""
    with guarded(EXIT_ON_SIGTERM) as kept:
        kept.lifeline.write(STOP)
        assert kept.returncode() == 7


def test_stop_has_a_limit() -> None:
    """A server that does not stop in time is killed; the exit code tells the signal as a shell does."""
    with guarded(IGNORE_SIGTERM, stop_timeout_s=0.1) as kept:
        kept.lifeline.write(STOP)
        assert kept.returncode() == 128 + signal.SIGKILL


def test_end_of_the_parent() -> None:
    """The lifeline's end, however it came about, kills everything, what ignores SIGTERM included."""
    with guarded(IGNORE_SIGTERM) as kept:
        kept.lifeline.close()
        assert kept.returncode() == 128 + signal.SIGKILL


def test_files_go_with_the_parent(tmp_path: Path) -> None:
    """A parent that dies cannot remove secret and folder, so the guard does; otherwise they are the parent's."""
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.touch()
    (folder / "backends").mkdir(parents=True)
    with guarded(EXIT_ON_SIGTERM, secret_file=str(secret), folder=str(folder)) as kept:
        kept.lifeline.write(STOP)
        kept.returncode()
    assert secret.exists()
    assert folder.exists()
    with guarded(secret_file=str(secret), folder=str(folder)) as kept:
        kept.lifeline.close()
        kept.returncode()
    assert not secret.exists()
    assert not folder.exists()


def test_kill(tmp_path: Path) -> None:
    """A server that answers nothing is killed at once on its parent's order, and the parent's files stay."""
    secret = tmp_path / "secret"
    secret.touch()
    with guarded(IGNORE_SIGTERM, stop_timeout_s=300.0, secret_file=str(secret)) as kept:
        kept.lifeline.write(KILL)
        assert kept.returncode() == 128 + signal.SIGKILL
    assert secret.exists()


def test_end_of_the_parent_while_stopping() -> None:
    """A parent that dies after it asked for a good end does not leave a slow server behind."""
    with guarded(IGNORE_SIGTERM) as kept:
        kept.lifeline.write(STOP)
        kept.lifeline.close()
        assert kept.returncode() == 128 + signal.SIGKILL


TELL = """
import os, signal, sys
print(os.getpid(), os.getpid(), flush=True)
print(sys.argv[1:], flush=True)
print({name: value for name, value in os.environ.items() if "GUARDED" in name or "a_secret-of" in value}, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
while True: signal.pause()
"""


def test_secret_is_in_no_list_of_processes() -> None:
    """The server is given the secret among its arguments, and it shows in nobody's; its environment is its own."""
    words = (
        "--first",
        f"--key={SECRET_PLACE}",
        "--middle",
        f"--other={SECRET_PLACE},{SECRET_PLACE}",
        "--last",
    )
    with guarded("", WAIT_S, "triton_test_", *words, program=TELL) as kept:
        assert kept.guard.stdout is not None
        told = kept.guard.stdout.readline()
        assert told == f"{[word.replace(SECRET_PLACE, SECRET) for word in words]}\n"
        assert kept.guard.stdout.readline() == "{}\n"
        folder = Path("/proc") / str(kept.server_pid)
        assert (folder / "cmdline").read_text().split("\0")[-6:] == [*words, ""]
        assert "TracerPid:\t0\n" in (folder / "status").read_text()
        kept.lifeline.write(READY)
        wait_until(lambda: SECRET not in (folder / "environ").read_text() or None)
        kept.lifeline.write(STOP)
        assert kept.returncode() == 7


def test_secret_where_nobody_may_be_halted() -> None:
    """Where the system forbids that, the server has the secret among its arguments until it is ready."""
    with guarded(
        EXIT_ON_SIGTERM,
        WAIT_S,
        "triton_test_",
        *("--first", f"--key={SECRET_PLACE}", "--last"),
        before=forbid_tracing,
    ) as kept:
        folder = Path("/proc") / str(kept.server_pid)
        words = (folder / "cmdline").read_text().split("\0")
        assert words[-4:] == ["--first", f"--key={SECRET}", "--last", ""]
        assert SECRET not in (folder / "environ").read_text()
        kept.lifeline.write(READY)
        wait_until(lambda: SECRET not in (folder / "cmdline").read_text() or None)
        wiped = (folder / "cmdline").read_text().split("\0")
        assert wiped == [*words[:-3], f"--key={'*' * len(SECRET)}", "--last", ""]
        kept.lifeline.write(STOP)
        assert kept.returncode() == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_of_the_terminal(number: signal.Signals) -> None:
    """The guard ignores Ctrl-C and SIGTERM, which are its parent's to act on."""
    with guarded(EXIT_ON_SIGTERM) as kept:
        kept.guard.send_signal(number)
        kept.lifeline.write(STOP)
        assert kept.returncode() == 7


def test_shared_memory_goes_with_the_server() -> None:
    """Regions with the server's prefix are removed at its end, those of others stay."""
    mark = uuid.uuid4().hex
    with (
        shared_memory(f"triton_{mark}_region") as own,
        shared_memory(f"other_{mark}_region") as other,
        guarded(EXIT_ON_SIGTERM, prefix=f"triton_{mark}_") as kept,
    ):
        kept.lifeline.write(STOP)
        kept.returncode()
        assert not own.exists()
        assert other.exists()


def test_remove_shared_memory() -> None:
    """Only the regions of one prefix are removed."""
    mark = uuid.uuid4().hex
    with shared_memory(f"triton_{mark}_a") as own, shared_memory(f"triton_{mark}b") as other:
        remove_shared_memory(f"triton_{mark}_")
        assert not own.exists()
        assert other.exists()


def test_kill_leftovers() -> None:
    """A process whose command line carries the prefix is killed, even a stopped one; another goes on."""
    mark = uuid.uuid4().hex
    wait = [sys.executable, "-c", "import signal; signal.pause()"]
    with (
        subprocess.Popen([*wait, f"triton_{mark}_region"]) as own,
        subprocess.Popen([*wait, f"other_{mark}_region"]) as other,
    ):
        own.send_signal(signal.SIGSTOP)
        kill_leftovers(f"triton_{mark}_")
        assert own.wait(WAIT_S) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
