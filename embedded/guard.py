"""Keeps one Triton process: starts it, and ends everything it left when it or our parent dies.

Runs as a process of its own between the library and ``tritonserver``, from the file and without site packages:
``python guard.py LIFELINE_FD STOP_TIMEOUT_S SHM_PREFIX -- COMMAND…``. The parent holds the other end of the lifeline
pipe. A byte in it means "stop in good order"; its end means that the parent is gone, even by SIGKILL. Triton's Python
backend leaves its stub processes and shared memory behind when killed; both go with the guard.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHARED_MEMORY = Path("/dev/shm")

libc = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Run the command until it ends or must, clean up, and return its exit code."""
    lifeline, stop_timeout_s, prefix = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphaned stubs become our children, so that we can wait for them
    server = subprocess.Popen(sys.argv[5:], start_new_session=True, preexec_fn=_prepare_child)
    try:
        _watch(server, lifeline, stop_timeout_s)
    finally:
        _end_group(server)
        remove_shared_memory(prefix)
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


def _watch(server: subprocess.Popen[bytes], lifeline: int, stop_timeout_s: float) -> None:
    """Return when the server has ended, the parent is gone, or the time for a good end is over."""
    process = os.pidfd_open(server.pid)
    try:
        ready, _, _ = select.select([process, lifeline], [], [])
        if process in ready or not os.read(lifeline, 1):
            return
        server.terminate()
        select.select([process, lifeline], [], [], stop_timeout_s)
    finally:
        os.close(process)


def _end_group(server: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    sys.exit(main())
