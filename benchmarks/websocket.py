"""Many WebSocket clients of the bridge in one process, cheap enough to share two cores with what they measure.

The handshake and the frames are ``websockets``' own Sans-I/O protocol; what is left out is a task per client.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from benchmarks.errors import LoadFailed
from benchmarks.statistics import Round

__all__ = [
    "ClientSocket",
    "FrameSocket",
    "connected",
    "frame_message",
    "opened",
    "play_at_rate",
    "request_without_pause",
]

CONNECT_LIMIT_S = 10.0
JPEG_START = b"\xff\xd8"

Answered = Callable[["FrameSocket", float], None]
"""Takes who got a frame and its latency in milliseconds; may ask for the next one."""

AnySocket = TypeVar("AnySocket", bound="ClientSocket")


def frame_message(model_name: str, frame_id: int) -> bytes:
    """Return the binary request for a frame: length of the name, name, frame id (4 bytes, little endian)."""
    name = model_name.encode()
    return bytes([len(name)]) + name + frame_id.to_bytes(4, "little")


class ClientSocket(asyncio.Protocol):
    """One client's WebSocket: shakes hands, hands on what comes.

    Args:
        port: The bridge's.
        path: What is connected to.
        subprotocol: What is to be spoken, where that has a name.

    Attributes:
        open: Set once the bridge has answered the handshake.
        failed: Holds the reason once the connection is of no use any more.
    """

    def __init__(self, port: int, path: str, subprotocol: str | None = None) -> None:
        self.open = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._protocol = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{port}{path}"),
            subprotocols=[Subprotocol(subprotocol)] if subprotocol else None,
            max_size=None,
        )
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take every message in what has come."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self.open.set()
            elif isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.TEXT):
                self.take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits for the handshake or for answers."""
        self._fail(f"a lost connection ({exc})")

    def take(self, message: Frame) -> None:
        """Take a message of the bridge."""
        raise NotImplementedError

    def send(self, message: bytes | str) -> None:
        """Send bytes as they are, or text."""
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def close(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def _fail(self, got: str) -> None:
        if not self.failed.done():
            self.failed.set_exception(LoadFailed("a WebSocket client", got))

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)


class FrameSocket(ClientSocket):
    """One viewer: sends requests, times their answers, which come in order."""

    def __init__(self, port: int, answered: Answered) -> None:
        super().__init__(port, "/ws")
        self.inflight = 0
        self._answered = answered
        self._sent_s: deque[float] = deque()

    def request(self, message: bytes, due_s: float | None = None) -> None:
        """Send one request; its latency counts from ``due_s`` (of ``time.perf_counter``), else from now."""
        self.inflight += 1
        self._sent_s.append(time.perf_counter() if due_s is None else due_s)
        self.send(message)

    def take(self, message: Frame) -> None:
        """Time an answer."""
        if bytes(message.data[:2]) != JPEG_START:
            self._fail(repr(bytes(message.data[:200])))
            return
        self.inflight -= 1
        self._answered(self, (time.perf_counter() - self._sent_s.popleft()) * 1000)


@contextlib.asynccontextmanager
async def connected(port: int, clients: int, answered: Answered) -> AsyncIterator[list[FrameSocket]]:
    """Connect ``clients`` viewers, and drop them at the end.

    Raises:
        LoadFailed: If one is not let in.
    """
    async with opened(port, [lambda: FrameSocket(port, answered)] * clients) as sockets:
        yield sockets


@contextlib.asynccontextmanager
async def opened(port: int, makers: Sequence[Callable[[], AnySocket]]) -> AsyncIterator[list[AnySocket]]:
    """Connect clients of any kind, one after another, and drop them at the end.

    Raises:
        LoadFailed: If one is not let in.
    """
    loop = asyncio.get_running_loop()
    sockets: list[AnySocket] = []
    try:
        for make in makers:
            _, socket = await loop.create_connection(make, "127.0.0.1", port)
            sockets.append(socket)
            await asyncio.wait_for(socket.open.wait(), CONNECT_LIMIT_S)
        yield sockets
    except asyncio.TimeoutError as exc:
        raise LoadFailed("a WebSocket client", "no handshake in time") from exc
    finally:
        for socket in sockets:
            socket.close()
            socket.failed.cancel()


async def request_without_pause(
    port: int, clients: int, messages: Sequence[bytes], duration_s: float
) -> Round:
    """Let each client ask for its next frame as soon as it has one.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    latencies_ms: list[float] = []
    turns = itertools.cycle(messages)

    def answered(socket: FrameSocket, latency_ms: float) -> None:
        latencies_ms.append(latency_ms)
        socket.request(next(turns))

    async with connected(port, clients, answered) as sockets:
        start_s = time.perf_counter()
        for socket in sockets:
            socket.request(next(turns))
        await _run_for(duration_s, sockets)
        return Round(len(latencies_ms) / (time.perf_counter() - start_s), tuple(latencies_ms))


async def play_at_rate(
    sockets: Sequence[FrameSocket], messages: Sequence[bytes], frames_per_s: float, duration_s: float
) -> int:
    """Let each client ask for a frame at its times, spread over the interval; return how many were asked for.

    Latencies count from when a request was due, so that one sent late is not taken for a fast one.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    loop = asyncio.get_running_loop()
    start_s, asked = time.perf_counter(), 0

    def ask(index: int, turn: int) -> None:
        nonlocal asked
        due_s = start_s + (turn + index / len(sockets)) / frames_per_s
        if due_s - start_s < duration_s:
            asked += 1
            sockets[index].request(messages[turn % len(messages)], due_s)
            next_s = due_s + 1 / frames_per_s
            loop.call_later(max(0.0, next_s - time.perf_counter()), ask, index, turn + 1)

    for index in range(len(sockets)):
        loop.call_later(index / len(sockets) / frames_per_s, ask, index, 0)
    await _run_for(duration_s + 1, sockets)
    return asked


async def _run_for(duration_s: float, sockets: Sequence[FrameSocket]) -> None:
    done, _ = await asyncio.wait(
        [socket.failed for socket in sockets], timeout=duration_s, return_when=asyncio.FIRST_COMPLETED
    )
    for failed in done:
        failed.result()
