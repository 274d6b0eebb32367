"""Processor time of a model's stubs and of the Triton that runs them, from ``/proc``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Processes", "Spent", "find_processes"]

PROC = Path("/proc")


@dataclass(frozen=True)
class Spent:
    """Seconds of a core, user's and system's: of a model's stubs together, and of the server."""

    stubs_s: float
    server_s: float


@dataclass(frozen=True)
class Processes:
    """The processes that serve one model.

    Attributes:
        stubs: One for each instance.
        server: The tritonserver above them.
    """

    stubs: tuple[int, ...]
    server: int

    def spent(self) -> Spent:
        """Return what they have used since they began."""
        return Spent(sum(map(_seconds, self.stubs)), _seconds(self.server))


def find_processes(model_name: str, grpc_port: int) -> Processes:
    """Return the processes that serve a model in the Triton that listens on a port.

    Raises:
        ProcessLookupError: If there are none.
    """
    option = f"--grpc-port={grpc_port}".encode()
    named = f"{model_name}_0_".encode()
    stubs = [
        int(path.parent.name)
        for path in PROC.glob("[0-9]*/cmdline")
        if any(part.startswith(named) for part in _command(path))
    ]
    found = [pid for pid in stubs if option in _command(PROC / str(_parent(pid)) / "cmdline")]
    if not found:
        raise ProcessLookupError(f"no stub of '{model_name}' under a tritonserver with {option.decode()}")
    return Processes(tuple(found), _parent(found[0]))


def _command(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return []


def _parent(pid: int) -> int:
    return int(_statistics(pid)[1])


def _seconds(pid: int) -> float:
    user, system = _statistics(pid)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _statistics(pid: int) -> list[str]:
    """Return the fields of a process after its name."""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
