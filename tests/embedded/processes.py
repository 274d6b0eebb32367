"""The processes and shared memory of an embedded Triton, as the kernel sees them."""

from __future__ import annotations

import os
import re
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

WAIT_S = 20.0
"""Longer than anything here takes; reaching it is a failure."""

POLL_S = 0.01

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """One process, held by a pidfd, so that its number cannot come to mean another."""

    pid: int
    pidfd: int
    command: str

    def kill(self, number: int = signal.SIGKILL) -> None:
        signal.pidfd_send_signal(self.pidfd, number)

    def ended(self, within_s: float = 0.0) -> bool:
        """Whether it ends within the time; a zombie has ended."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(within_s * 1000))


@dataclass(frozen=True)
class Family:
    """What one Triton consists of: guard, server and Python stubs, and their shared memory's prefix."""

    prefix: str
    members: list[Process]

    def member(self, part: str) -> Process:
        """The one process whose program is ``part``: ``guard.py``, ``tritonserver`` or the stub."""
        (found,) = [process for process in self.members if program(process.command) == part]
        return found

    def wait_gone(self) -> None:
        """Wait until no process and no shared memory of it is left."""
        deadline = time.monotonic() + WAIT_S
        for process in self.members:
            assert process.ended(max(0.0, deadline - time.monotonic())), process.command
        wait_until(lambda: not self.shared_memory() or None)

    def shared_memory(self) -> list[Path]:
        return list(Path("/dev/shm").glob(f"{self.prefix}*"))


def program(command: str) -> str:
    """Name the program of a command line; of an interpreter, the script it runs."""
    words = command.split("\0")
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    return Path(script if "python" in Path(words[0]).name and script.endswith(".py") else words[0]).name


def find_family(mark: str) -> Family:
    """Find the Triton whose guard's command line holds ``mark``, such as ``--grpc-port=8001``."""
    guard = wait_until(lambda: next((one for one in _all() if _is_guard(one) and mark in one.command), None))
    match = re.search(r"triton_[0-9a-f]{12}_", guard.command)
    assert match
    return Family(match[0], [process for process in _all() if match[0] in process.command])


def find_loading_family(mark: str) -> Family:
    """Find the same as ``find_family`` while it loads: once its first Python stub runs."""

    def with_stub() -> Family | None:
        family = find_family(mark)
        names = {program(process.command) for process in family.members}
        return family if "triton_python_backend_stub" in names else None

    return wait_until(with_stub)


def wait_until(condition: Callable[[], T | None]) -> T:
    """Return what ``condition`` gives once it gives something."""
    deadline = time.monotonic() + WAIT_S
    while (result := condition()) is None:
        assert time.monotonic() < deadline, condition
        time.sleep(POLL_S)  # nothing tells when /proc changes
    return result


def _is_guard(process: Process) -> bool:
    return program(process.command) == "guard.py"


def _all() -> list[Process]:
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pidfd = os.pidfd_open(int(folder.name))
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if "triton" in command:
            processes.append(Process(int(folder.name), pidfd, command))
        else:
            os.close(pidfd)
    return processes
