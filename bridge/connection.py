"""The WebSocket library's connection, for plain HTTP requests that the library has no answer to.

It closes the connection without a word on a request with a body, and on one with another behind it. So a head goes to
the library without its body's fields, and what follows the head of a plain request goes nowhere: every answer says
``Connection: close``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection

__all__ = ["Connection", "Head", "read_head"]

MAX_HEAD_BYTES = 64 << 10
"""A longer head is the library's, which has limits of its own, from its first byte on."""

END = b"\r\n\r\n"
BODY_FIELD = re.compile(rb"(?:content-length|transfer-encoding):[ \t]*([^\r]*?)[ \t]*", re.IGNORECASE)
UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*websocket", re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """Request line and header fields, the empty line included.

    Attributes:
        content: The bytes, without the fields that announce a body.
        has_body: Whether a body was announced.
        is_handshake: Whether a WebSocket is asked for.
        size_bytes: How many bytes of the input it was.
    """

    content: bytes
    has_body: bool
    is_handshake: bool
    size_bytes: int


def read_head(received: bytes) -> Head | None:
    """Return the head of a request, None while it is incomplete."""
    end = received.find(END)
    if end < 0:
        return None
    lines = received[:end].split(b"\r\n")
    matches = [BODY_FIELD.fullmatch(line) for line in lines]
    kept = [line for line, match in zip(lines, matches, strict=True) if match is None]
    return Head(
        content=b"\r\n".join(kept) + END,
        has_body=any(match is not None and match.group(1) != b"0" for match in matches),
        is_handshake=UPGRADE.search(received, 0, end) is not None,
        size_bytes=end + len(END),
    )


class Connection(ServerConnection):
    """A connection of which the library sees one request without a body.

    Attributes:
        has_body: Whether that request had one; it is not read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_body = False
        self._received: bytes | None = b""  # None once the head is the library's
        self._is_plain = False

    def data_received(self, data: bytes) -> None:
        """Give the library what it understands."""
        if self._received is None:
            if not self._is_plain:
                super().data_received(data)
            return
        self._received += data
        head = read_head(self._received)
        if head is not None:
            self.has_body, self._is_plain = head.has_body, not head.is_handshake or head.has_body
            rest = b"" if self._is_plain else self._received[head.size_bytes :]
            self._pass_on(head.content + rest)
        elif len(self._received) > MAX_HEAD_BYTES:
            self._pass_on(self._received)

    def _pass_on(self, data: bytes) -> None:
        self._received = None
        super().data_received(data)
