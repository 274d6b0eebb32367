"""bridge/connection.py"""

import asyncio
import json

import pytest

from bridge.connection import MAX_HEAD_BYTES, read_head
from tests.bridge.helpers import WAIT_S, exchange, http

KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
HANDSHAKE = f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY}\r\n"


@pytest.mark.parametrize("received", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.1\r\n\r"])
def test_incomplete_head(received):
    """A head without its empty line is none yet."""
    assert read_head(received) is None


def test_head_without_a_body():
    """A head is passed on as it is; what follows it does not count."""
    received = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    head = read_head(received + b"Content-Length: 5\r\nUpgrade: websocket\r\n\r\n")
    assert (head.content, head.has_body, head.is_handshake) == (received, False, False)
    assert head.size_bytes == len(received)


@pytest.mark.parametrize(
    ("field", "has_body"),
    [
        (b"Content-Length: 5", True),
        (b"content-length:5 ", True),
        (b"Content-Length: 0", False),
        (b"Transfer-Encoding: chunked", True),
        (b"TRANSFER-ENCODING:\tgzip, chunked", True),
    ],
)
def test_head_with_a_body(field, has_body):
    """Fields that announce a body are left out; a length of 0 announces none."""
    head = read_head(b"POST / HTTP/1.1\r\n" + field + b"\r\nHost: a\r\n\r\nhello")
    assert (head.content, head.has_body) == (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", has_body)


def test_handshake():
    """Who wants a WebSocket says so in a field of the head."""
    assert read_head(f"{HANDSHAKE}\r\n".encode()).is_handshake
    assert not read_head(b"GET /?upgrade:websocket HTTP/1.1\r\n\r\n").is_handshake


@pytest.mark.parametrize("fields", [{"content_length": "5"}, {"transfer_encoding": "chunked"}])
async def test_requests_with_a_body(bridge, fields):
    """A request with a body is answered like any other: 405 by its method, 400 where a GET has one."""
    status, headers, body = await http(
        bridge.port, "/health", "POST", b"hello", x_request_id="mine", **fields
    )
    assert (status, headers["allow"], headers["x-request-id"]) == (405, "GET, HEAD", "mine")
    assert json.loads(body)["error"] == "method: expected GET or HEAD, got 'POST'"
    status, _, body = await http(bridge.port, "/health", "GET", b"hello", **fields)
    assert status == 400
    assert json.loads(body) == {"code": "bad_request", "error": "body: expected none, got one"}


async def test_a_large_body(bridge):
    """A body larger than the system's buffers does not keep its sender from the answer."""
    status, _, _ = await http(bridge.port, "/health", "PUT", bytes(8 << 20), content_length=str(8 << 20))
    assert status == 405


async def test_a_handshake_with_a_body(bridge):
    """A handshake with a body is none."""
    status, headers, _ = await exchange(bridge.port, f"{HANDSHAKE}Content-Length: 5\r\n\r\nhello".encode())
    assert (status, headers["content-type"]) == (400, "application/json")


async def test_requests_one_after_another(bridge):
    """Of several requests on one connection the first is answered, and the answer says that it is the last."""
    request = b"GET /frames/echo/1.jpg HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: mine\r\n\r\n"
    status, headers, _ = await exchange(bridge.port, request * 3)
    assert (status, headers["connection"], headers["x-request-id"]) == (200, "close", "mine")


async def test_a_request_in_pieces(bridge):
    """A request may come byte by byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    for byte in b"POST /health HTTP/1.1\r\nContent-Length: 1\r\n\r\nx":
        writer.write(bytes([byte]))
        await writer.drain()
    answer = await asyncio.wait_for(reader.read(), WAIT_S)
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 405 ")


async def test_a_head_without_end(bridge):
    """A head beyond all limits gets the library's answer to it."""
    status, _, _ = await exchange(bridge.port, b"GET /" + b"x" * MAX_HEAD_BYTES)
    assert status == 414


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//[", 404),
        ("//[?request_id=mine", 404),
        ("http://localhost/health", 200),
        ("http://localhost", 200),
        ("/health?a=//[", 200),
        ("//localhost/health", 404),
    ],
)
async def test_targets(bridge, target, status):
    """Whatever a request's target is, the answer is one of ours, with an id."""
    answered, headers, _ = await http(bridge.port, target)
    assert answered == status
    assert headers["x-request-id"] == "mine" if "mine" in target else len(headers["x-request-id"]) == 16


async def test_fields_that_are_there_twice(bridge):
    """A header field that is there several times is no failure."""
    request = b"GET /health HTTP/1.1\r\nUpgrade: a\r\nUpgrade: b\r\nRange: c\r\nRange: d\r\n\r\n"
    assert (await exchange(bridge.port, request))[0] == 200
