"""The ports of Triton processes, claimed before the first of them starts."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from embedded.command import Server
from embedded.config import EmbeddedConfig
from embedded.errors import BadSetting, PortInUse

__all__ = ["claimed_servers"]

CLAIM = "\0triton-lipsync-port-{}"
"""A socket's name that lies in no folder, belongs to a network as ports do, and goes with its process."""
TRITON = "tritonserver"
DYING_S, RETRY_S = 2.0, 0.05
"""How long the Triton of a start that was killed may take to end, and so to leave its ports."""
LISTENING = "0A"
CREDENTIALS = struct.Struct("3i")


@contextlib.asynccontextmanager
async def claimed_servers(config: EmbeddedConfig) -> AsyncIterator[list[Server]]:
    """Yield the address of every process; while the block runs, no other start gets one of its ports.

    Triton itself listens only when its models are loaded. Of two starts at once, one would find the other's Triton
    ready where its own cannot listen, and start that again for ever.

    Raises:
        BadSetting: If this machine cannot listen on the host or a port.
        PortInUse: If another start has claimed one of the ports, or something listens on it.
    """
    with contextlib.ExitStack() as claims:
        servers = [Server(config.host, *ports) for ports in config.ports()]
        if servers:
            _claim_all(servers, claims)
            for server in servers:
                for port in _ports(server):
                    await _wait_free(server.host, port)
        else:
            servers = _claim_free(config, claims)
        yield servers


def _ports(server: Server) -> tuple[int, int, int]:
    return server.http_port, server.grpc_port, server.metrics_port


def _claim_all(servers: list[Server], claims: contextlib.ExitStack) -> None:
    for server in servers:
        for port in _ports(server):
            claim = claims.enter_context(socket.socket(socket.AF_UNIX))
            try:
                claim.bind(CLAIM.format(port))
                claim.listen()
            except OSError as exc:
                raise PortInUse(server.host, port, _claimant(port)) from exc


def _claim_free(config: EmbeddedConfig, claims: contextlib.ExitStack) -> list[Server]:
    """Claim ports that are free; another start may have been told of the same ones, and then there are others."""
    while True:
        servers = _free_servers(config)
        with contextlib.suppress(PortInUse), contextlib.ExitStack() as mine:
            _claim_all(servers, mine)
            claims.push(mine.pop_all())
            return servers


def _free_servers(config: EmbeddedConfig) -> list[Server]:
    """Ask the system for free ports; all are held until the last is known, so none is handed out twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(3 * config.processes)]
        for sock in sockets:
            _bind(sock, config.host, 0)
        ports = [sock.getsockname()[1] for sock in sockets]
    return [Server(config.host, *ports[index : index + 3]) for index in range(0, len(ports), 3)]


async def _wait_free(host: str, port: int) -> None:
    """Return if nothing listens on a port; wait for a Triton that nobody claims, as it is about to end."""
    deadline = time.monotonic() + DYING_S
    while True:
        try:
            with socket.socket() as sock:
                _bind(sock, host, port)
            return
        except PortInUse as exc:
            # one that cannot be named has ended since, or is another user's
            if not (exc.holder or TRITON).startswith(TRITON) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


def _bind(sock: socket.socket, host: str, port: int) -> None:
    if port:  # one left in TIME_WAIT is free; a port picked by the system must be nobody else's
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortInUse(host, port, _listener(port)) from exc
        got = f"{host}:{port} ({(exc.strerror or str(exc)).lower()})"
        raise BadSetting("host", "an address this machine can listen on", got) from exc


def _claimant(port: int) -> str | None:
    """Name the process that has claimed a port, if the system tells."""
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.connect(CLAIM.format(port))
        pid, _, _ = CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        )
        return _name(pid)
    return None


def _listener(port: int) -> str | None:
    """Name the process that listens on a port, if the system tells."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):  # another user's, or ended meanwhile
            if str(link.readlink()) in wanted:
                return _name(int(link.parts[2]))
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
                words = line.split()
                if words[3] == LISTENING and int(words[1].rpartition(":")[2], 16) == port:
                    yield words[9]


def _name(pid: int) -> str | None:
    """Name a process, of Python's with its module; no more, as other arguments may be secrets."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    module = re.match(r"[^\0]*\0-m\0([\w.]+)", words)
    return f"{name} -m {module[1]} (process {pid})" if module else f"{name} (process {pid})"
