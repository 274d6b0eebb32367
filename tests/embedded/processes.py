"""The processes and shared memory of an embedded Triton, as the kernel sees them."""

from __future__ import annotations

import contextlib
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

POLL_S = 0.02
STUB = "triton_python_backend_stub"

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """One process, held by a pidfd, so that its number cannot come to mean another."""

    pid: int
    pidfd: int
    command: str

    @property
    def folder(self) -> Path:
        """Its folder in /proc."""
        return Path("/proc") / str(self.pid)

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
    scripts = [word for word in words[1:] if word.endswith(".py")]
    return Path(scripts[0] if scripts and Path(words[0]).name.startswith("python") else words[0]).name


def find_family(mark: str, *, with_part: str = "guard.py") -> Family:
    """Find the Triton whose guard's command line holds ``mark``, such as ``--grpc-port=8001``.

    While it starts or loads, wait until ``with_part`` is among its programs.
    """

    def find() -> Family | None:
        commands = _commands()
        for guard in commands.values():
            if program(guard) == "guard.py" and mark in guard:
                prefix = re.findall(r"triton_[0-9a-f]{12}_", guard)[0]
                family = {pid: command for pid, command in commands.items() if prefix in command}
                if with_part in map(program, family.values()):
                    with contextlib.suppress(ProcessLookupError):  # a model is being unloaded: look again
                        members = [Process(pid, os.pidfd_open(pid), family[pid]) for pid in family]
                        return Family(prefix, members)
        return None

    return wait_until(find)


def wait_until(condition: Callable[[], T | None]) -> T:
    """Return what ``condition`` gives once it gives something."""
    deadline = time.monotonic() + WAIT_S
    while (result := condition()) is None:
        assert time.monotonic() < deadline, condition
        time.sleep(POLL_S)  # nothing tells when /proc changes
    return result


def _commands() -> dict[int, str]:
    """Return the command lines of all processes, words separated by NUL."""
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            commands[int(folder.name)] = (folder / "cmdline").read_text()
    return commands
