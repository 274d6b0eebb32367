"""bridge/logs.py"""

import json
import logging

import pytest

from bridge import request_id
from bridge.errors import InferTimeout, InternalError, Overloaded, UnknownModel
from bridge.logs import JsonFormatter, TextFormatter, log_failure, set_up_logging


def record(message="a %s", *args, **fields):
    created = logging.LogRecord("bridge.x", logging.WARNING, __file__, 1, message, args or ("b",), None)
    created.__dict__.update(fields)
    return created


@pytest.fixture
def in_request():
    token = request_id.current.set("id-1")
    yield
    request_id.current.reset(token)


def test_json(in_request):
    """A line of JSON has time in UTC, level, logger, message and the request's id."""
    assert json.loads(JsonFormatter().format(record(created=1.25, msecs=250))) == {
        "time": "1970-01-01T00:00:01.250Z",
        "level": "warning",
        "logger": "bridge.x",
        "message": "a b",
        "request_id": "id-1",
    }


def test_json_outside_of_requests():
    """Outside of a request there is no id, and without an exception no traceback."""
    assert set(json.loads(JsonFormatter().format(record()))) == {"time", "level", "logger", "message"}


def test_json_with_a_traceback():
    """A traceback stays within its line."""
    try:
        raise ValueError("x")
    except ValueError as exc:
        line = JsonFormatter().format(record(exc_info=(type(exc), exc, exc.__traceback__)))
    assert "\n" not in line
    assert json.loads(line)["traceback"].endswith("ValueError: x")


def test_text(in_request):
    """A line for people ends with the request's id."""
    assert TextFormatter().format(record()).endswith(" WARNING bridge.x: a b [id-1]")


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (InternalError("what Triton said"), "ERROR"),
        (InferTimeout("demo", 2.0), "WARNING"),
        (Overloaded("demo"), "WARNING"),
        (Overloaded("demo", 0.05), None),  # by the thousand: whoever refuses them tells of them together
        (UnknownModel("x"), None),
    ],
)
def test_failures(caplog, error, level):
    """Triton's failures are logged with their details; a client's mistakes are not."""
    log_failure(error)
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    assert not caplog.records or caplog.records[0].message == getattr(error, "detail", str(error))


@pytest.mark.parametrize(("log_format", "formatter"), [("json", JsonFormatter), ("text", TextFormatter)])
def test_set_up(log_format, formatter, restored_logging):
    """The chosen format and level hold for every logger but the WebSocket library's chatter."""
    set_up_logging("warning", log_format)
    root = logging.getLogger()
    assert (root.level, [type(handler.formatter) for handler in root.handlers]) == (30, [formatter])
    assert logging.getLogger("websockets").level == logging.CRITICAL


@pytest.fixture
def restored_logging():
    root, websockets = logging.getLogger(), logging.getLogger("websockets")
    before = root.level, root.handlers[:], websockets.level
    root.handlers.clear()  # else they would be closed
    yield
    root.level, root.handlers[:], websockets.level = before
