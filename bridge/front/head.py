"""The head of an HTTP/1.1 request, without I/O: request line and header fields (RFC 9112)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from websockets.datastructures import Headers

from bridge.errors import BadRequest, shown
from bridge.front.errors import HeadTooLarge

__all__ = ["MAX_HEAD_BYTES", "Head", "read_head"]

MAX_HEAD_BYTES = 16 << 10
MAX_FIELDS = 100
END = b"\r\n\r\n"
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rf"({TOKEN}) ([!-~]+) HTTP/1\.[01]")
FIELD = re.compile(rf"({TOKEN}):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*")
TOKEN_BYTE = re.compile(TOKEN.rstrip("+").encode())
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Head:
    """Request line and header fields.

    Attributes:
        content: The bytes that they were read from, the empty line included.
        method: Of any name.
        target: A path with its query, or whatever else stood in its place.
        headers: The fields.
    """

    content: bytes
    method: str
    target: str
    headers: Headers

    def field(self, name: str) -> str:
        """Return a field's value, empty if it is absent; one that is there several times is a list in parts."""
        return ", ".join(self.headers.get_all(name))

    @property
    def path(self) -> str:
        """The target's path; the target may be a whole URL, as proxies send it.

        Not with ``urlsplit``: it takes ``//[`` for the beginning of a host, and raises.
        """
        return re.sub(r"^https?://[^/?]*", "", self.target.partition("?")[0]) or "/"

    @property
    def query(self) -> str:
        """The target's query, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.field("Content-Length") not in ("", "0") or "Transfer-Encoding" in self.headers

    @property
    def is_handshake(self) -> bool:
        """Whether a WebSocket is asked for."""
        return "websocket" in self.field("Upgrade").lower() and not self.has_body


def read_head(received: bytes | bytearray) -> Head | None:
    """Return the head at the beginning of what was received, None while it is incomplete.

    Raises:
        BadRequest: If it is not one of HTTP/1.1, which shows before it is complete.
        HeadTooLarge: If it is too long.
    """
    end = received.find(END, 0, MAX_HEAD_BYTES)
    lines = bytes(received[: end if end >= 0 else MAX_HEAD_BYTES]).split(b"\r\n")
    if end >= 0 or len(lines) > 1:
        method, target = _request_line(lines[0])
    elif received and not TOKEN_BYTE.match(received):
        _request_line(bytes(received[:80]))
    if end < 0:
        if len(received) >= MAX_HEAD_BYTES:
            raise HeadTooLarge(MAX_HEAD_BYTES)
        return None
    if len(lines) > 1 + MAX_FIELDS:
        raise BadRequest("header fields", f"at most {MAX_FIELDS}", str(len(lines) - 1))
    fields = Headers(map(_field, lines[1:]))
    return Head(bytes(received[: end + len(END)]), method, target, fields)


def _request_line(line: bytes) -> tuple[str, str]:
    match = REQUEST_LINE.fullmatch(line.decode("latin-1"))
    if match is None:
        got = "a TLS handshake" if line.startswith(TLS_HANDSHAKE) else shown(line)
        raise BadRequest("request line", "METHOD TARGET HTTP/1.1", got)
    return match.group(1), match.group(2)


def _field(line: bytes) -> tuple[str, str]:
    match = FIELD.fullmatch(line.decode("latin-1"))
    if match is None:
        raise BadRequest("header field", "NAME: VALUE", shown(line))
    return match.group(1), match.group(2)
