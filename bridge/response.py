"""HTTP answers: their status for an error, and the header fields that every one of them has."""

from __future__ import annotations

import email.utils
import json
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers
from websockets.http11 import Response

from bridge.access.errors import ForeignOrigin, Unauthorized, WrongHost
from bridge.errors import (
    BadRequest,
    BridgeError,
    InferTimeout,
    InvalidFrameId,
    NoSound,
    NoUpstreamReady,
    Overloaded,
    Refused,
    UnknownModel,
)
from bridge.front.errors import BridgeFull, HeadTooLarge, TooMany
from bridge.logs import log_failure

__all__ = [
    "JSON_TYPE",
    "error_body",
    "error_response",
    "json_body",
    "preflight_response",
    "response_of",
    "shared",
]

JSON_TYPE = "application/json"
NO_STORE = "no-store"
STATUS_OF_ERROR = {
    BadRequest: HTTPStatus.BAD_REQUEST,
    InvalidFrameId: HTTPStatus.BAD_REQUEST,  # Triton's own HTTP answer to it is 400, too
    UnknownModel: HTTPStatus.NOT_FOUND,
    NoSound: HTTPStatus.NOT_FOUND,
    NoUpstreamReady: HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    InferTimeout: HTTPStatus.GATEWAY_TIMEOUT,
    Refused: HTTPStatus.BAD_GATEWAY,
    WrongHost: HTTPStatus.MISDIRECTED_REQUEST,
    ForeignOrigin: HTTPStatus.FORBIDDEN,
    Unauthorized: HTTPStatus.UNAUTHORIZED,
    HeadTooLarge: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    BridgeFull: HTTPStatus.SERVICE_UNAVAILABLE,
}
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_FIELDS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PREFLIGHT_FIELDS = {
    "Access-Control-Allow-Methods": "GET, HEAD",
    "Access-Control-Allow-Headers": "Authorization, If-None-Match, If-Range, Range, X-Request-ID",
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Accept-Ranges, Content-Range, ETag, Retry-After, X-Request-ID"
RETRY_LATER = {"Retry-After": "1"}
"""Seconds: an overload or a restart may be over by then, and a client that waits longer loses a second of frames."""


def json_body(body: dict[str, Any]) -> bytes:
    """Return a JSON object as the body of an answer."""
    return json.dumps(body).encode()


def error_body(code: str, sentence: str) -> bytes:
    """Return the body of an answer to a request that failed."""
    return json_body({"code": code, "error": sentence})


def error_response(error: BridgeError) -> Response:
    """Return the answer to a request that failed, and log what an operator should know of it."""
    log_failure(error)
    status = STATUS_OF_ERROR.get(type(error), HTTPStatus.INTERNAL_SERVER_ERROR)
    fields = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        fields = RETRY_LATER
    return response_of(status, JSON_TYPE, error_body(error.code, str(error)), **fields)


def response_of(
    status: HTTPStatus, content_type: str, body: bytes, *, cache_control: str = NO_STORE, **headers: str
) -> Response:
    """Return an answer, the last one on its connection."""
    fields = {
        "Date": email.utils.formatdate(usegmt=True),
        "Connection": "close",
        "Content-Length": str(len(body)),
        "Content-Type": content_type,
        "Cache-Control": cache_control,
        **SECURITY_FIELDS,
        **headers,
    }
    return Response(status.value, status.phrase, Headers(fields), body)


def preflight_response() -> Response:
    """Return the answer to a browser that asks what the page of a listed site may send."""
    response = response_of(HTTPStatus.NO_CONTENT, JSON_TYPE, b"")
    response.headers.update(PREFLIGHT_FIELDS)
    del response.headers["Content-Length"]  # 204 has none
    return response


def shared(response: Response, origin: str) -> Response:
    """Let the pages of ``origin`` read an answer."""
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    response.headers["Vary"] = "Origin"
    return response
