"""The only module that knows the WebSocket library: connections to a bridge, and its failures as this package's."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConcurrencyError, ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection as SyncClientConnection
from websockets.sync.client import connect as sync_connect
from websockets.typing import Subprotocol

from lipsync_client.errors import (
    InvalidAnswer,
    LipsyncError,
    ServerError,
    ServerUnavailable,
    SpeechLost,
    SpeechTimeout,
)
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_wire import SUBPROTOCOL, error_sentence
from lipsync_client.waiting import within

__all__ = ["AsyncSocket", "SyncSocket", "open_async_socket", "open_sync_socket"]

CLOSE_TIMEOUT_S = 2.0
MAX_MESSAGE_BYTES = 4 << 20
UNREAD_MESSAGES = 16
"""What is read ahead of the caller; then the bridge has to wait, and leaves out what comes too late."""


class AsyncSocket:
    """A connection for one event loop; every method but ``close`` raises ``SpeechLost`` once it is closed."""

    def __init__(self, settings: SpeechSettings, connection: ClientConnection) -> None:
        self._settings = settings
        self._connection = connection
        self._is_closing = False

    async def receive(self, timeout_s: float) -> str | bytes:
        """Return the next message.

        Raises:
            TimeoutError: If none comes in time.
        """
        try:
            return await within(self._connection.recv(), timeout_s)
        except ConcurrencyError as exc:
            if not self._is_closing:
                raise
            raise SpeechLost(str(self._settings.endpoint), "it is being closed") from exc
        except ConnectionClosed as exc:
            raise _lost(self._settings, exc) from exc

    async def send(self, data: str | memoryview) -> None:
        """Send a message.

        Raises:
            SpeechTimeout: If the bridge does not read it in time.
        """
        timeout_s = self._settings.answer_timeout_s
        try:
            await within(self._connection.send(data), timeout_s)
        except ConnectionClosed as exc:
            raise _lost(self._settings, exc) from exc
        except TimeoutError as exc:
            raise SpeechTimeout(str(self._settings.endpoint), "room for a message", timeout_s) from exc

    async def close(self) -> None:
        """Close the connection, within two seconds; harmless when repeated."""
        self._is_closing = True
        await asyncio.gather(self._connection.close(), self._read_out())

    async def _read_out(self) -> None:
        """Read what nobody will: the answer to closing comes behind it. Who reads already goes on."""
        with suppress(ConnectionClosed, ConcurrencyError):
            while True:
                await self._connection.recv()


class SyncSocket:
    """A connection for threads; every method but ``close`` raises ``SpeechLost`` once it is closed."""

    def __init__(self, settings: SpeechSettings, connection: SyncClientConnection) -> None:
        self._settings = settings
        self._connection = connection
        self._is_closing = False

    def receive(self, timeout_s: float) -> str | bytes:
        """Return the next message.

        Raises:
            TimeoutError: If none comes in time.
        """
        try:
            return self._connection.recv(timeout_s)
        except ConcurrencyError as exc:
            if not self._is_closing:
                raise
            raise SpeechLost(str(self._settings.endpoint), "it is being closed") from exc
        except ConnectionClosed as exc:
            raise _lost(self._settings, exc) from exc

    def send(self, data: str | memoryview) -> None:
        """Send a message."""
        try:
            self._connection.send(data)
        except ConnectionClosed as exc:
            raise _lost(self._settings, exc) from exc

    def close(self) -> None:
        """Close the connection, within two seconds; harmless when repeated."""
        self._is_closing = True
        reader = threading.Thread(target=self._read_out, name="lipsync-close", daemon=True)
        reader.start()
        self._connection.close()
        reader.join()

    def _read_out(self) -> None:
        """Read what nobody will: the answer to closing comes behind it. Who reads already goes on."""
        with suppress(ConnectionClosed, ConcurrencyError):
            while True:
                self._connection.recv()


@asynccontextmanager
async def open_async_socket(settings: SpeechSettings) -> AsyncIterator[AsyncSocket]:
    """Connect to the bridge, and close the connection in every case.

    Raises:
        ServerUnavailable: If no bridge answers.
        SpeechTimeout: If it does not answer in time.
        ServerError: If it refuses a WebSocket.
        InvalidAnswer: If it does not speak the protocol.
    """
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(connect(settings.speech_url, **_options(settings)))
        except (OSError, InvalidHandshake, asyncio.TimeoutError) as exc:
            raise _not_opened(settings, exc) from exc
        _check_subprotocol(settings, connection.subprotocol)
        yield AsyncSocket(settings, connection)


@contextmanager
def open_sync_socket(settings: SpeechSettings) -> Iterator[SyncSocket]:
    """Connect to the bridge, and close the connection in every case; errors as in ``open_async_socket``."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(sync_connect(settings.speech_url, **_options(settings)))
        except (OSError, InvalidHandshake, TimeoutError) as exc:
            raise _not_opened(settings, exc) from exc
        _check_subprotocol(settings, connection.subprotocol)
        yield SyncSocket(settings, connection)


def _options(settings: SpeechSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "subprotocols": [Subprotocol(SUBPROTOCOL)],
        "additional_headers": settings.headers,
        "compression": None,  # a JPEG does not get smaller
        "open_timeout": settings.connect_timeout_s,
        "close_timeout": CLOSE_TIMEOUT_S,
        "max_size": MAX_MESSAGE_BYTES,
        "max_queue": UNREAD_MESSAGES,
    }
    if settings.endpoint.is_tls:
        options["ssl"] = ssl.create_default_context(cafile=settings.root_certificates)
    return options


def _not_opened(settings: SpeechSettings, exc: Exception) -> LipsyncError:
    url = str(settings.endpoint)
    if isinstance(exc, (TimeoutError, asyncio.TimeoutError)):
        return SpeechTimeout(url, "a connection", settings.connect_timeout_s)
    if isinstance(exc, InvalidStatus):
        reason = error_sentence(bytes(exc.response.body or b""), exc.response.reason_phrase)
        return ServerError(url, settings.avatar, str(exc.response.status_code), reason)
    return ServerUnavailable(url, str(exc) or type(exc).__name__, "a bridge")


def _check_subprotocol(settings: SpeechSettings, subprotocol: str | None) -> None:
    if subprotocol != SUBPROTOCOL:
        raise InvalidAnswer(settings.avatar, f"in subprotocol {SUBPROTOCOL}", repr(subprotocol))


def _lost(settings: SpeechSettings, exc: ConnectionClosed) -> SpeechLost:
    return SpeechLost(str(settings.endpoint), str(exc))
