"""bridge/front/connection.py"""

import asyncio
import contextlib
import gc
import json
import socket
import tracemalloc

import pytest
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

from bridge.front.connection import FREE_BYTES, PENDING_BYTES
from bridge.front.front import LONG_MESSAGES_BYTES
from bridge.front.head import MAX_HEAD_BYTES
from bridge.protocol import encode_frame_request
from bridge.server import serve
from tests.bridge.helpers import WAIT_S, config_for, connected, exchange, http, receive
from tests.fake_triton import FakeTriton, fake_jpeg

KEY = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
HANDSHAKE = f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{KEY}\r\n"


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
    """A head beyond all limits has an answer that says so."""
    status, headers, body = await exchange(bridge.port, b"GET /" + b"x" * MAX_HEAD_BYTES)
    assert (status, json.loads(body)["code"], len(headers["x-request-id"])) == (431, "head_too_large", 16)


@pytest.mark.parametrize(
    "request_bytes", [b"\x16\x03\x01\x02\x00", b"hello\r\n", b"GET / HTTP/1.1\r\nno\r\n\r\n"]
)
async def test_what_is_no_request(bridge, request_bytes):
    """What is no HTTP has an answer that says so, with an id."""
    status, headers, body = await exchange(bridge.port, request_bytes)
    assert (status, json.loads(body)["code"], len(headers["x-request-id"])) == (400, "bad_request", 16)


async def test_a_head_that_does_not_come(triton):
    """Who connects and asks for nothing, or not to the end, is disconnected."""
    async with serve(config_for(triton, head_timeout_s=0.05)) as bridge:
        for sent in (b"", b"GET / HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
            writer.write(sent)
            assert await asyncio.wait_for(reader.read(), WAIT_S) == b""
            writer.close()


async def test_a_client_that_leaves_gives_back_its_triton(triton, bridge):
    """A request whose client is gone is not waited for."""
    _, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(b"GET /frames/slow/1.jpg HTTP/1.1\r\n\r\n")
    await triton.wait_for_calls("slow", 1)
    writer.transport.abort()
    await triton.wait_for_cancelled("slow", 1)


async def test_an_answer_that_is_not_read():
    """An answer is sent in pieces; a client that leaves it unread is disconnected."""
    async with (
        FakeTriton(jpeg=lambda *_: bytes(32 << 20)) as triton,
        serve(config_for(triton, send_timeout_s=0.1)) as bridge,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", bridge.port, limit=1)
        writer.write(b"GET /frames/echo/1.jpg HTTP/1.1\r\n\r\n")
        connection = await only_connection(bridge)
        await until(lambda: connection not in bridge._front._connections)
        assert connection._transport.get_write_buffer_size() == 0
        writer.close()


def frame(opcode, content=b"", fin=True, size=None):
    """Return a WebSocket frame of a client, masked with zeros; ``size`` is what it says, where it is not all there."""
    size = len(content) if size is None else size
    length = bytes([0x80 | size]) if size < 126 else b"\xff" + size.to_bytes(8, "big")
    return bytes([0x80 * fin | opcode]) + length + bytes(4) + content


async def until(condition):
    """Return once something is so, else raise TimeoutError."""
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while not condition():
        if asyncio.get_running_loop().time() > deadline_s:
            raise TimeoutError
        await asyncio.sleep(0.001)


async def only_connection(bridge):
    """Return the bridge's only connection."""
    await until(lambda: len(bridge._front._connections) == 1)
    return next(iter(bridge._front._connections))


async def open_websocket(bridge):
    """Open a WebSocket without a library, and return its reader, its writer and the bridge's side of it."""
    before = set(bridge._front._connections)
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    writer.write(f"{HANDSHAKE}\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WAIT_S)
    (connection,) = set(bridge._front._connections) - before
    return reader, writer, connection


PING, BINARY, CONTINUATION = 9, 2, 0


@pytest.mark.parametrize(
    "flood",
    [frame(PING), frame(PING, bytes(125)), frame(BINARY), frame(BINARY, b"x")],
    ids=["pings", "long pings", "empty", "short"],
)
async def test_a_flood_without_reading(bridge, flood):
    """Frames without end from a client that reads no answer cost no more than a little memory, and no one else."""
    _, writer, connection = await open_websocket(bridge)
    connection._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    writer.transport.set_write_buffer_limits(1 << 16)
    sent = flood * ((4 << 20) // len(flood))
    writer.write(sent)
    await until(lambda: connection._is_reading_paused and not connection.is_waiting)
    assert (await http(bridge.port, "/frames/echo/1.jpg"))[2] == fake_jpeg("echo", 1)
    assert len(connection._pending) <= 2 * PENDING_BYTES
    assert connection._websocket.held_bytes <= 2 * FREE_BYTES
    assert connection._transport.get_write_buffer_size() <= 2 * FREE_BYTES
    writer.transport.abort()


async def test_long_messages_share_their_room(triton, monkeypatch):
    """Of long messages only so many are held at once; short ones pass, and so does the next once there is room."""
    monkeypatch.setattr("bridge.front.front.LONG_MESSAGES_BYTES", 1 << 20)
    async with serve(config_for(triton)) as bridge:
        opened = [await open_websocket(bridge) for _ in range(4)]
        for _, writer, _ in opened:
            writer.write(frame(BINARY, bytes(900_000), size=900_001))
        held = [connection for _, _, connection in opened]
        await until(lambda: sum(connection._is_reading_paused for connection in held) == 3)
        assert sum(connection._websocket.begun_bytes for connection in held) < (1 << 20) + 4 * FREE_BYTES
        async with connected(bridge) as websocket:
            await websocket.send(encode_frame_request("echo", 1))
            assert await receive(websocket) == fake_jpeg("echo", 1)
        for _, writer, _ in opened:
            writer.write(b"x")
        for reader, writer, _ in opened:
            assert b"message_too_large" in await asyncio.wait_for(reader.read(1000), WAIT_S)
            writer.transport.abort()


async def test_a_long_message_that_does_not_come(triton):
    """Who takes room for a long message and does not send it loses it, and the connection."""
    async with serve(config_for(triton, send_timeout_s=0.1)) as bridge:
        reader, writer, _ = await open_websocket(bridge)
        writer.write(frame(BINARY, bytes(100_000), size=900_001))
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), WAIT_S) == b""
        writer.close()
        assert bridge._front.budget._left_bytes == LONG_MESSAGES_BYTES


async def test_long_messages_leave_nothing_behind(bridge):
    """A long message that was read is not kept until the next one comes."""
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connected(bridge)) for _ in range(5)]
        tracemalloc.start()
        try:
            for websocket in opened:
                await websocket.send(bytes(1_000_000))
                assert (await receive(websocket))["code"] == "message_too_large"
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < 2_000_000
        finally:
            tracemalloc.stop()


async def test_a_message_in_pieces(bridge):
    """A message in fragments, which arrive byte by byte with pings between, is one message."""
    reader, writer, connection = await open_websocket(bridge)
    request = encode_frame_request("echo", 7)
    pieces = [frame(BINARY, request[:3], fin=False), frame(PING), frame(CONTINUATION, request[3:])]
    for byte in b"".join(pieces):
        writer.write(bytes([byte]))
        await writer.drain()
    assert await asyncio.wait_for(reader.readexactly(2), WAIT_S) == b"\x8a\x00"
    answer = fake_jpeg("echo", 7)
    assert (
        await asyncio.wait_for(reader.readexactly(2 + len(answer)), WAIT_S)
        == bytes([0x82, len(answer)]) + answer
    )
    assert (connection._websocket.held_bytes, connection._websocket.begun_bytes) == (0, 0)
    writer.close()


async def test_too_many_of_one_address(triton):
    """An address has so many connections; health and metrics are answered all the same."""
    async with serve(config_for(triton, connections_per_client=2)) as bridge:
        async with connected(bridge), connected(bridge):
            status, _, body = await http(bridge.port, "/models")
            assert (status, json.loads(body)["code"]) == (429, "too_many")
            with pytest.raises(InvalidStatus, match="429"):
                async with connected(bridge):
                    pass
            for path in ("/health", "/metrics"):
                assert (await http(bridge.port, path))[0] == 200
        await until(lambda: not bridge._front._connections)
        assert (await http(bridge.port, "/models"))[0] == 200


async def test_a_full_bridge(triton, monkeypatch):
    """A bridge with all its connections answers health; connections that ask for nothing make room for it."""
    monkeypatch.setattr("bridge.front.front.SPARE_CONNECTIONS", 2)
    async with serve(config_for(triton, max_connections=2)) as bridge, connected(bridge), connected(bridge):
        silent = [await asyncio.open_connection("127.0.0.1", bridge.port) for _ in range(5)]
        for _ in range(3):
            assert (await http(bridge.port, "/health"))[0] == 200
        status, _, body = await http(bridge.port, "/frames/echo/1.jpg")
        assert (status, json.loads(body)["code"]) == (503, "bridge_full")
        for _, writer in silent:
            writer.close()
        assert len(bridge._front._connections) <= 5


async def test_who_asks_for_nothing(triton):
    """A WebSocket whose client asks for nothing is closed, and says why; one that waits for an answer is not."""
    async with serve(config_for(triton, idle_timeout_s=0.1)) as bridge, connected(bridge) as websocket:
        await websocket.send(encode_frame_request("slow", 1))
        await triton.wait_for_calls("slow", 1)
        await asyncio.sleep(0.3)
        triton.release.set()
        assert await receive(websocket) == fake_jpeg("slow", 1)
        with pytest.raises(ConnectionClosedOK):
            await receive(websocket)
        assert websocket.close_reason == "idle"


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
