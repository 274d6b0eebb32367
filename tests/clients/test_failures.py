"""Foreign failures become this package's errors, by status and words."""

from __future__ import annotations

import asyncio

import pytest

from lipsync_client import (
    InferTimeout,
    InvalidFrameId,
    LipsyncError,
    ServerError,
    ServerUnavailable,
    UnknownModel,
)
from lipsync_client.failures import HttpRefusal, translate
from lipsync_client.settings import Settings, parse_url

SETTINGS = Settings(endpoint=parse_url("http://triton:8000"), infer_timeout_s=2)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (
            HttpRefusal(400, "in ensemble 'a', frame_id -1 is outside [0, 9] of model 'a_frames'"),
            InvalidFrameId,
        ),
        (HttpRefusal(400, "unexpected shape for input 'frame_id'"), ServerError),
        (HttpRefusal(404, "Request for unknown model: 'a' is not found"), UnknownModel),
        (HttpRefusal(503, "Request for unknown model: 'a' has no available versions"), UnknownModel),
        (HttpRefusal(503, "in ensemble 'a', 'a_unet' is not ready"), UnknownModel),
        (HttpRefusal(502, "Bad Gateway"), ServerUnavailable),
        (HttpRefusal(503, "Exceeds maximum queue size"), ServerUnavailable),
        (HttpRefusal(504, "Gateway Timeout"), InferTimeout),
        (HttpRefusal(500, "out of memory"), ServerError),
        (ConnectionRefusedError("refused"), ServerUnavailable),
        (TimeoutError(), InferTimeout),
        (asyncio.TimeoutError(), InferTimeout),
    ],
)
def test_translate(exc: Exception, expected: type[LipsyncError]) -> None:
    """Each failure has one error class."""
    assert type(translate(exc, SETTINGS, "a")) is expected


def test_failures_about_no_model() -> None:
    """A request about the server itself is never an unknown model."""
    error = translate(HttpRefusal(404, "Not Found"), SETTINGS, None)
    assert str(error) == "expected an answer from http://triton:8000, got NOT_FOUND: Not Found"


def test_wordless_failure() -> None:
    """A failure without a text is named by its class."""
    error = translate(ConnectionResetError(), SETTINGS, "a")
    expected = "expected a Triton server at http://triton:8000, got no answer: ConnectionResetError"
    assert str(error) == expected
