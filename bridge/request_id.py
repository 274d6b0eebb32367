"""The id that a request keeps from its sender through the bridge to Triton, into the log, and back.

Sender: the header ``X-Request-ID`` or, for a browser's WebSocket, the query ``request_id``; in gRPC the metadata
``x-request-id``. Triton: the ``id`` of ModelInferRequest, which its log and its traces show. A WebSocket's requests
are numbered from 1 below their connection's id, since the binary request has no room for one.
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from urllib.parse import parse_qs

from websockets.datastructures import Headers

__all__ = ["HEADER", "METADATA_KEY", "PATTERN", "current", "of_http", "taken_or_new"]

HEADER = "X-Request-ID"
METADATA_KEY = "x-request-id"
QUERY_KEY = "request_id"
PATTERN = re.compile(r"[A-Za-z0-9._:/=+-]{1,64}")
"""What an id from outside may be: it is written to logs and headers."""

current: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that the running task works on; empty outside of any."""


def taken_or_new(offered: str | None) -> str:
    """Return the id that a sender offered, or a new one if it offered none that can be taken."""
    if offered is not None and PATTERN.fullmatch(offered):
        return offered
    return secrets.token_hex(8)


def of_http(path: str, headers: Headers) -> str:
    """Return the id of an HTTP request or WebSocket handshake.

    Args:
        path: Path and query.
        headers: The request's; a header that is there several times counts as absent.
    """
    offered = headers.get_all(HEADER)
    if len(offered) == 1:
        return taken_or_new(offered[0])
    return taken_or_new(parse_qs(path.partition("?")[2]).get(QUERY_KEY, [None])[0])
