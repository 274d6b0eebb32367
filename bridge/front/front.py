"""What all connections of a listener share: their turns, their room, and how many there may be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from websockets.http11 import Response

from bridge import request_id
from bridge.access.client import Client
from bridge.config import BridgeConfig
from bridge.errors import BridgeError
from bridge.front.connection import PENDING_BYTES, Connection
from bridge.front.head import Head
from bridge.front.limits import Budget, Limit, Most
from bridge.front.read_turns import ReadTurns
from bridge.response import error_response

__all__ = ["Answering", "Front"]

LONG_MESSAGES_BYTES = 32 << 20
"""What all connections together may hold of messages longer than 64 KiB."""

SPARE_CONNECTIONS = 64
"""How many connections may be open whose request is not known yet, beyond those that there may be."""

logger = logging.getLogger(__name__)


class Answering(Protocol):
    """What answers requests."""

    def check(self, head: Head, client: Client) -> Client:
        """Return who asks, once that is known to be one who may; else raise BridgeError."""

    def is_handshake(self, head: Head) -> bool:
        """Return whether a WebSocket is to be opened."""

    def is_always_answered(self, head: Head) -> bool:
        """Return whether a request is answered however many connections there are."""

    async def answer(self, head: Head) -> Response:
        """Return the answer to a plain request; raises nothing."""


class Front:
    """What the connections of a listener share.

    Attributes:
        turns: Whose input is looked at next.
        budget: Room for long messages.
        buffer: What arrives, until its connection has copied it.
    """

    def __init__(
        self, config: BridgeConfig, routes: Answering, requests: Limit, max_connections: int
    ) -> None:
        self.turns = ReadTurns()
        self.budget = Budget(LONG_MESSAGES_BYTES)
        self.buffer = memoryview(bytearray(PENDING_BYTES))
        self.head_timeout_s = config.head_timeout_s
        self.send_timeout_s = config.send_timeout_s
        self._routes = routes
        self._requests = requests
        self._counted = Limit(Most("connections", config.connections_per_client, max_connections))
        self._most = max_connections
        self._connections: dict[Connection, None] = {}
        self._answers: set[asyncio.Task[None]] = set()

    def add(self, connection: Connection) -> None:
        """Have a connection that was just made; where there are too many, one that has asked for nothing goes."""
        self._connections[connection] = None
        if len(self._connections) > self._most + SPARE_CONNECTIONS:
            waiting = (other for other in self._connections if other.is_idle)
            next(waiting, connection).abort()

    def remove(self, connection: Connection) -> None:
        """Have it no more."""
        del self._connections[connection]
        if connection.is_counted:
            self._counted.give_back(connection.client)

    def is_handshake(self, head: Head) -> bool:
        """Return whether a WebSocket is to be opened."""
        return self._routes.is_handshake(head)

    def admit(self, head: Head, connection: Connection) -> Coroutine[Any, Any, Response] | None:
        """Let a WebSocket be opened, or return the answer that says why not."""
        try:
            self._check(head, connection)
        except BridgeError as exc:
            return self.answer_to(exc)
        return None

    async def answer(self, head: Head, connection: Connection) -> Response:
        """Return the answer to a plain request."""
        try:
            if self._routes.is_always_answered(head):
                connection.client = self._routes.check(head, connection.client)
                return await self._routes.answer(head)
            self._check(head, connection)
            with self._requests.held(connection.client):
                return await self._routes.answer(head)
        except BridgeError as exc:
            return await self.answer_to(exc)

    async def answer_to(self, error: BridgeError) -> Response:
        """Return the answer to a request that was not even looked at."""
        response = error_response(error)
        response.headers[request_id.HEADER] = request_id.current.get()
        return response

    def start(self, answering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what answers a plain request."""
        task = asyncio.get_running_loop().create_task(answering)
        self._answers.add(task)
        task.add_done_callback(self._end)
        return task

    async def close(self, timeout_s: float) -> None:
        """Drop who has asked for nothing, let plain requests be answered within ``timeout_s``, drop the rest."""
        for connection in [other for other in self._connections if other.is_idle]:
            connection.abort()
        if self._answers:
            await asyncio.wait(tuple(self._answers), timeout=timeout_s)
        for task in tuple(self._answers):
            task.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)
        for connection in [other for other in self._connections if not other.is_websocket]:
            connection.abort()

    def _check(self, head: Head, connection: Connection) -> None:
        connection.client = self._routes.check(head, connection.client)
        self._counted.take(connection.client)
        connection.is_counted = True

    def _end(self, task: asyncio.Task[None]) -> None:
        self._answers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a bug: an answer ended with a foreign exception", exc_info=error)
