"""The one place where failures of gRPC, sockets and HTTP become this package's errors."""

from __future__ import annotations

import asyncio
import re

import grpc

from lipsync_client.errors import (
    InferTimeout,
    InvalidFrameId,
    LipsyncError,
    ServerError,
    ServerUnavailable,
    UnknownModel,
)
from lipsync_client.settings import Settings

__all__ = ["HttpRefusal", "translate"]

STATUS_BY_HTTP = {
    404: "NOT_FOUND",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""HTTP statuses that mean the same as one of gRPC's."""

OUT_OF_RANGE = re.compile(r"frame_id (-?\d+) is outside \[(-?\d+), (-?\d+)\]")
"""How the avatar's frame lookup refuses a frame id."""

UNKNOWN_MODEL = re.compile(r"unknown model|is not ready")
"""How Triton speaks of a model it never had or has no more, whatever the status."""


class HttpRefusal(Exception):
    """An HTTP response that isn't 200."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


def translate(exc: Exception, settings: Settings, model_name: str | None) -> LipsyncError:
    """Return the error to raise for ``exc``, which a transport met while asking about ``model_name``."""
    url = str(settings.endpoint)
    if isinstance(exc, grpc.RpcError):
        return _refused(exc.code().name, exc.details() or "no details", settings, model_name)
    if isinstance(exc, HttpRefusal):
        status = STATUS_BY_HTTP.get(exc.status, str(exc.status))
        return _refused(status, exc.reason, settings, model_name)
    if isinstance(exc, (TimeoutError, asyncio.TimeoutError)):  # two classes before Python 3.11
        return InferTimeout(url, model_name, settings.infer_timeout_s)
    return ServerUnavailable(url, str(exc) or type(exc).__name__)


def _refused(status: str, reason: str, settings: Settings, model_name: str | None) -> LipsyncError:
    url = str(settings.endpoint)
    if status == "DEADLINE_EXCEEDED":
        return InferTimeout(url, model_name, settings.infer_timeout_s)
    if model_name is not None:
        if match := OUT_OF_RANGE.search(reason):
            frame_id, first, last = map(int, match.groups())
            return InvalidFrameId(model_name, frame_id, first, last)
        if status == "NOT_FOUND" or UNKNOWN_MODEL.search(reason):
            return UnknownModel(model_name, url, reason)
    if status == "UNAVAILABLE":
        return ServerUnavailable(url, reason)
    return ServerError(url, model_name, status, reason)
