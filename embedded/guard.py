"""Keeps one Triton process: starts it, and ends everything it left when it or our parent dies.

Runs as a process of its own between the library and ``tritonserver``, from the file and without site packages:
``python guard.py LIFELINE_FD STOP_TIMEOUT_S SHM_PREFIX SECRET_FILE FOLDER -- COMMAND…``. The parent holds the other end
of the lifeline pipe. In it, ``READY`` says that the command has read its arguments, ``STOP`` asks for a good end,
``KILL`` for one at once; the pipe's own end means that the parent is gone, even by SIGKILL. Triton's Python backend
leaves its stub processes and shared memory behind when killed; both go with the guard, as do the file of a secret and
the folder that a killed parent left.

Triton takes its secret only as an argument, and everybody on a machine can read those. So the guard has it in its
environment, puts it in the place that the command has for it, and wipes it out of the server's arguments later.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHARED_MEMORY = Path("/dev/shm")
READY, STOP, KILL = b"r", b"s", b"k"
SECRET_PLACE = "@secret@"
SECRET_VARIABLE = "GUARDED_SECRET"
ARGUMENTS_IN_STAT = slice(45, 47)  # of the words after the program's name: where arguments begin and end

libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the command until it ends or must, clean up, and return its exit code."""
    lifeline, stop_timeout_s, prefix = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphaned stubs become our children, so that we can wait for them
    secret = os.environ.pop(SECRET_VARIABLE, "")
    secret_file, folder = Path(sys.argv[4]), sys.argv[5]
    command = [word.replace(SECRET_PLACE, secret) for word in sys.argv[7:]]
    server = subprocess.Popen(command, start_new_session=True, preexec_fn=_prepare_child)
    is_orphaned = False
    try:
        is_orphaned = not _watch(server, lifeline, stop_timeout_s, secret.encode())
        if is_orphaned:
            secret_file.unlink(missing_ok=True)  # while the server still has its ports, so it is no other's
    finally:
        _end_group(server)
        remove_shared_memory(prefix)
        if is_orphaned:
            shutil.rmtree(folder, ignore_errors=True)
    # as a shell tells it: 128 and the signal's number
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def kill_leftovers(prefix: str) -> None:
    """Kill what a killed guard could not: a stub that waits for ever on a lock its dead server held.

    Each Triton process has a prefix of its own, which all of its command lines carry.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            pidfd = os.pidfd_open(int(process.name))  # holds the number while we look whose it is
            try:
                if prefix.encode() in (process / "cmdline").read_bytes():
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)


def remove_shared_memory(prefix: str) -> None:
    """Remove the regions that a killed Python backend left; each Triton process has a prefix of its own."""
    for region in SHARED_MEMORY.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)


def _prepare_child() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # covers the guard's own SIGKILL


def _watch(server: subprocess.Popen[bytes], lifeline: int, stop_timeout_s: float, secret: bytes) -> bool:
    """Return when the server has ended, or the time for a good end is over: true; or when the parent is gone: false."""
    process = os.pidfd_open(server.pid)
    try:
        while process not in select.select([process, lifeline], [], [])[0]:
            order = os.read(lifeline, 1)
            if order == READY:
                _wipe(server.pid, secret)
            elif order == STOP:
                server.terminate()
                select.select([process, lifeline], [], [], stop_timeout_s)
                return True
            else:
                return order == KILL
        return True
    finally:
        os.close(process)


def _wipe(pid: int, secret: bytes) -> None:
    """Overwrite the secret in a child's arguments, which it has copied by then; where the system forbids it, say so."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        begin, end = map(int, stat.rpartition(")")[2].split()[ARGUMENTS_IN_STAT])
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            memory.seek(begin)
            arguments = memory.read(end - begin)
            memory.seek(begin)
            memory.write(arguments.replace(secret, b"*" * len(secret)))
    except OSError as exc:
        print(f"Triton's secret stays in the list of processes: {exc}", file=sys.stderr, flush=True)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    sys.exit(main())
