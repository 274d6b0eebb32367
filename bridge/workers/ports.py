"""Ports that several processes listen on together, held for as long as any of them is to come back."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

from bridge.config import GRPC_OFF, METRICS_TOO, BridgeConfig
from bridge.errors import ListenError

__all__ = ["held_ports"]


@contextlib.contextmanager
def held_ports(config: BridgeConfig) -> Iterator[BridgeConfig]:
    """Hold a bridge's ports for its workers, and yield its settings with the ports that they are to listen on.

    Raises:
        ListenError: If one of them cannot be listened on, for example because it is in use.
    """
    with contextlib.ExitStack() as held:
        ports: dict[str, Any] = {"port": held.enter_context(_held(config.host, config.port))}
        if config.grpc_port != GRPC_OFF:
            ports["grpc_port"] = held.enter_context(_held(config.host, config.grpc_port))
        if config.metrics_port != METRICS_TOO:
            ports["metrics_port"] = held.enter_context(_held(config.metrics_host, config.metrics_port))
        yield dataclasses.replace(config, **ports)


@contextlib.contextmanager
def _held(host: str, port: int) -> Iterator[int]:
    """Bind a port that is shared with nobody yet, without listening on it, and yield its number."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as alone:
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            alone.listen()  # or another bridge's, which shares its own, would be shared with this one
            number = int(alone.getsockname()[1])
        shared = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise ListenError.of(host, port, exc) from exc
    with shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            shared.bind((address[0], number, *address[2:]))
        except OSError as exc:
            raise ListenError.of(host, port, exc) from exc
        yield number
