"""Processor time of a model's stubs and of the Triton that runs them, as the kernel counts it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Processes", "Spent", "find_processes"]

PROC = Path("/proc")
SCHEDULERS_CLOCK = 2


@dataclass(frozen=True)
class Spent:
    """Seconds of a core, user's and system's: of the stubs together, and of the server."""

    stubs_s: float
    server_s: float


@dataclass(frozen=True)
class Processes:
    """The processes that serve some models.

    Attributes:
        stubs: One for each instance of each.
        server: The tritonserver above them.
    """

    stubs: tuple[int, ...]
    server: int

    def spent(self) -> Spent:
        """Return what they have used since they began."""
        return Spent(sum(map(_seconds, self.stubs)), _seconds(self.server))


def find_processes(model_names: Sequence[str], grpc_port: int) -> Processes:
    """Return the processes that serve some models in the Triton that listens on a port.

    Raises:
        ProcessLookupError: If there are none.
    """
    option = f"--grpc-port={grpc_port}".encode()
    named = tuple(f"{name}_0_".encode() for name in model_names)
    stubs = [
        int(path.parent.name)
        for path in PROC.glob("[0-9]*/cmdline")
        if any(part.startswith(named) for part in _command(path))
    ]
    found = [pid for pid in stubs if option in _command(PROC / str(_parent(pid)) / "cmdline")]
    if not found:
        raise ProcessLookupError(
            f"no stub of {', '.join(model_names)} under a tritonserver with {option.decode()}"
        )
    return Processes(tuple(found), _parent(found[0]))


def _command(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return []


def _parent(pid: int) -> int:
    """Return which process started one."""
    return int((PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])


def _seconds(pid: int) -> float:
    """Return a process's own clock, all of its threads together; ``/proc`` has the same in hundredths of a second.

    Linux makes the clock's number of the process's, as clock_getcpuclockid(3) does.
    """
    return time.clock_gettime(~pid << 3 | SCHEDULERS_CLOCK)
