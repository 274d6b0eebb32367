"""Keeps one Triton process: starts it, and ends everything it left when it or our parent dies.

Runs as a process of its own between the library and ``tritonserver``, from the file and without site packages:
``python guard.py LIFELINE_FD STOP_TIMEOUT_S SHM_PREFIX SECRET_FILE FOLDER -- COMMAND…``. The parent holds the other end
of the lifeline pipe. In it, ``READY`` says that the command has read its arguments, ``STOP`` asks for a good end,
``KILL`` for one at once; the pipe's own end means that the parent is gone, even by SIGKILL. Triton's Python backend
leaves its stub processes and shared memory behind when killed; both go with the guard, as do the file of a secret and
the folder that a killed parent left.

Triton takes its secret only as an argument, and everybody on a machine can read those. So the guard has it in its
environment, and the command gets arguments with a place for it. When the command is about to run its first instruction,
the guard halts it, has those arguments point to where the list of processes does not look, and lets it go. Where the
system forbids that, the secret is among the arguments until ``READY``.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
SHARED_MEMORY = Path("/dev/shm")
READY, STOP, KILL = b"r", b"s", b"k"
SECRET_PLACE = "@secret@"
SECRET_VARIABLE = "GUARDED_SECRET"
ROOM = "GUARDED_ROOM"
"""A variable whose value makes room in the command's memory, and which the command does not see."""
PTRACE_TRACEME, PTRACE_DETACH = 0, 17
ADDRESSES_IN_STAT = slice(
    45, 49
)  # of the words after the program's name: arguments and environment, begin and end
POINTER = struct.Struct("@P")

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def main() -> int:
    """Run the command until it ends or must, clean up, and return its exit code."""
    lifeline, stop_timeout_s, prefix = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphaned stubs become our children, so that we can wait for them
    secret = os.environ.pop(SECRET_VARIABLE, "")
    secret_file, folder = Path(sys.argv[4]), sys.argv[5]
    server = _start(sys.argv[7:], secret)
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


def _start(command: list[str], secret: str) -> subprocess.Popen[bytes]:
    """Start the command with the secret in its places, hidden from the list of processes if that can be."""
    full = [word.replace(SECRET_PLACE, secret) for word in command]
    places = [index for index, word in enumerate(command) if SECRET_PLACE in word]
    hidden = b"\0".join(os.fsencode(full[index]) for index in places) + b"\0"
    environment = {**os.environ, ROOM: "-" * len(hidden)}
    server = subprocess.Popen(
        command, env=environment, start_new_session=True, preexec_fn=lambda: _prepare_child(is_halted=True)
    )
    if _put_in(server.pid, len(command), places, hidden):
        return server
    server.kill()
    server.wait()
    return subprocess.Popen(full, start_new_session=True, preexec_fn=_prepare_child)


def _prepare_child(is_halted: bool = False) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # covers the guard's own SIGKILL
    if is_halted:
        libc.ptrace(PTRACE_TRACEME, 0, None, None)


def _put_in(pid: int, count: int, places: list[int], hidden: bytes) -> bool:
    """Have a halted program's arguments at ``places`` point to ``hidden`` in its room; tell whether that went well.

    On the stack of a new program lie the pointers to its arguments, those to its environment, and then the strings of
    both. The pointer to the room becomes one to the variable before it, so that no child inherits it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    if f"TracerPid:\t{os.getpid()}\n" not in status:
        return False
    os.waitpid(pid, 0)  # returns when it has halted
    try:
        begin, _, _, end = _addresses(pid)
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            strings = _read(memory, begin, end)
            pointers = [begin, *(begin + at + 1 for at, byte in enumerate(strings[:-1]) if not byte)]
            room = strings.index(f"{ROOM}=".encode())
            variable = pointers.index(begin + room)
            listed = _find_pointers(memory, begin, pointers[:count])
            at = begin + room + len(ROOM) + 1
            _write(memory, at, hidden)
            for index, word in zip(places, hidden[:-1].split(b"\0"), strict=True):
                _write(memory, listed + index * POINTER.size, POINTER.pack(at))
                at += len(word) + 1
            # a null pointer lies between arguments and environment
            _write(memory, listed + (variable + 1) * POINTER.size, POINTER.pack(pointers[variable - 1]))
    except (OSError, ValueError):
        return False
    return bool(libc.ptrace(PTRACE_DETACH, pid, None, None) == 0)


def _find_pointers(memory: io.FileIO, strings: int, pointers: list[int]) -> int:
    """Return where the pointers to the arguments lie: below the strings, on the same stack.

    Raises:
        ValueError: If they are not there.
    """
    depth = 1 << 17
    wanted = b"".join(map(POINTER.pack, [*pointers, 0]))
    return strings - depth + _read(memory, strings - depth, strings).index(wanted)


def _read(memory: io.FileIO, begin: int, end: int) -> bytes:
    memory.seek(begin)
    return memory.read(end - begin) or b""


def _write(memory: io.FileIO, at: int, content: bytes) -> None:
    memory.seek(at)
    memory.write(content)


def _addresses(pid: int) -> list[int]:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return [int(word) for word in stat.rpartition(")")[2].split()[ADDRESSES_IN_STAT]]


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
    """Overwrite the secret where a child was given it, as it has copied it; where the system forbids that, say so."""
    try:
        begin, _, _, end = _addresses(pid)
        with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
            _write(memory, begin, _read(memory, begin, end).replace(secret, b"*" * len(secret)))
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
