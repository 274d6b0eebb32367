"""A listener of its own for metrics and health, which none of the clients' connections can be in the way of."""

from __future__ import annotations

import asyncio

from bridge.config import BridgeConfig
from bridge.errors import ListenError
from bridge.front.connection import Connection
from bridge.front.front import Answering, Front
from bridge.front.limits import Limit, Most
from bridge.front.websocket import WebSocket

__all__ = ["Monitor"]

CONNECTIONS = 64


class Monitor:
    """A listening monitor.

    Attributes:
        port: The port it listens on, once started.
    """

    def __init__(self, config: BridgeConfig, routes: Answering, *, is_shared: bool = False) -> None:
        self.port = config.metrics_port
        self._config = config
        self._is_shared = is_shared
        self._front = Front(config, routes, Limit(Most("requests", CONNECTIONS, CONNECTIONS)), CONNECTIONS)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: If the address cannot be listened on.
        """
        host, port = self._config.metrics_host, self._config.metrics_port
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: Connection(self._front, None, _no_websocket),
                host,
                port,
                reuse_port=self._is_shared or None,
            )
        except OSError as exc:
            raise ListenError.of(host, port, exc) from exc
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Answer what is in flight within ``shutdown_timeout_s``, and close all connections."""
        if self._server is not None:
            self._server.close()
        await self._front.close(self._config.shutdown_timeout_s)


def _no_websocket() -> WebSocket:
    raise AssertionError("there are no handshakes here")
