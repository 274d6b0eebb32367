"""How much memory a Triton and its Python stubs hold, shared pages counted once."""

from __future__ import annotations

from pathlib import Path

__all__ = ["process_tree", "triton_bytes", "triton_processes"]

KIBIBYTE = 1024
PROC = Path("/proc")


def triton_bytes(grpc_port: int) -> int:
    """Return the proportional memory of the tritonserver that listens on a port, and of all its children.

    Raises:
        ProcessLookupError: If there is none.
    """
    return sum(map(_proportional_bytes, triton_processes(grpc_port)))


def triton_processes(grpc_port: int) -> list[int]:
    """Return the tritonserver that listens on a port, and all its children.

    Raises:
        ProcessLookupError: If there is none.
    """
    option = f"--grpc-port={grpc_port}".encode()
    servers = [
        pid
        for pid in _pids()
        if _command(pid)[:1] and option in _command(pid) and b"guard.py" not in b"".join(_command(pid))
    ]
    if not servers:
        raise ProcessLookupError(f"no tritonserver with {option.decode()}")
    return process_tree(servers[0])


def process_tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    parents = {pid: _parent(pid) for pid in _pids()}
    found = [root]
    for pid in found:  # grows while it is read
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _pids() -> list[int]:
    return [int(path.name) for path in PROC.iterdir() if path.name.isdecimal()]


def _command(pid: int) -> list[bytes]:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended meanwhile
        return []


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _proportional_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * KIBIBYTE for line in lines if line.startswith("Pss:"))
