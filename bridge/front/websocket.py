"""The WebSocket library's connection, with an account of what it holds for who reads it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.frames import DATA_OPCODES

from bridge.access.client import Client

__all__ = ["Input", "WebSocket"]

FRAME_BYTES = 512
"""What a frame costs beside its content."""


class WebSocket(ServerConnection):
    """One client's WebSocket.

    Attributes:
        client: Who it is.
        path: What it asked for.
        held_bytes: What of its input nobody has read yet, in complete messages.
        begun_bytes: What has arrived of the next message.
        on_read: Called after each message that was read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.client = Client("")
        self.path = ""
        self.held_bytes = 0
        self.begun_bytes = 0
        self.on_read: Callable[[], None] = lambda: None
        self._sizes: deque[int] = deque()
        self._unframed_bytes = 0
        self._framed_bytes = 0
        self._events = 0
        self._last_long: Any = None

    def feed(self, data: bytes) -> int:
        """Give the library some input, and return how many frames were completed."""
        self._events = 0
        self._unframed_bytes += len(data)
        self.data_received(data)
        self.begun_bytes = self._framed_bytes + self._unframed_bytes
        return self._events

    def process_event(self, event: Any) -> None:
        """Count what the library holds from now on."""
        self._events += 1
        self._unframed_bytes = 0
        if getattr(event, "opcode", None) in DATA_OPCODES:
            self._framed_bytes += len(event.data) + FRAME_BYTES
            if len(event.data) > FRAME_BYTES:
                self._last_long = event
            if event.fin:
                self._sizes.append(self._framed_bytes)
                self.held_bytes += self._framed_bytes
                self._framed_bytes = 0
        super().process_event(event)

    async def recv(self, decode: bool | None = None) -> Any:
        """Return the next message, as the library does."""
        message = await super().recv(decode)
        self.held_bytes -= self._sizes.popleft()
        if not self._sizes and not self._framed_bytes and self._last_long is not None:
            # the library's parser keeps the last frame until the next one comes, which may be never
            self._last_long.data = b""
            self._last_long = None
        self.on_read()
        return message


class Input(asyncio.Transport):
    """The transport that the library sees: whether it wants more input is the connection's to heed."""

    def __init__(
        self, transport: asyncio.Transport, pause: Callable[[], None], resume: Callable[[], None]
    ) -> None:
        super().__init__()
        self._transport = transport
        self._pause = pause
        self._resume = resume

    def pause_reading(self) -> None:
        """Give the library no more, for now."""
        self._pause()

    def resume_reading(self) -> None:
        """Give it more."""
        self._resume()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport says of itself."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Return whether it is being closed."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Close it, once everything is sent."""
        self._transport.close()

    def abort(self) -> None:
        """Close it at once."""
        self._transport.abort()

    def write(self, data: Any) -> None:
        """Send some bytes."""
        self._transport.write(data)

    def write_eof(self) -> None:
        """Say that there is no more to come."""
        self._transport.write_eof()

    def can_write_eof(self) -> bool:
        """Return whether that can be said, which TLS cannot."""
        return self._transport.can_write_eof()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set when the library is told to wait with sending, and to go on."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be sent."""
        return self._transport.get_write_buffer_size()
