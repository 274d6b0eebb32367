"""Clients who wish the bridge ill, in a process of their own: ``python -m tests.faults.attackers KIND PORT``.

Each kind runs until it is killed, and prints a line once it is under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import resource
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import grpc.aio

from benchmarks.websocket import frame_message
from bridge.grpc_service.schema import DEPLOYED, message_class
from tests.conftest import CLIP_FRAMES
from tests.faults.crowd import Answers, Caller, addresses, callers

__all__ = ["KINDS", "attacking"]

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MASK = bytes(4)
PING = b"\x89\xfd" + MASK + bytes(125)
BIG_MESSAGE = b"\x82\xff" + (1 << 20).to_bytes(8, "big") + MASK + bytes(1 << 20)
START_LIMIT_S = 20.0
IDLE_CONNECTIONS = 1000
GREEDY_WINDOW = 32
BATCHES_AT_ONCE, BATCH_FRAMES = 8, 1024
MAX_MESSAGE_BYTES = 256 << 20


async def pings(port: int) -> None:
    """Send pings without pause over eight connections, half of which never read an answer."""
    await asyncio.gather(
        *(_pour(port, source, PING * 500, n % 2 == 0) for n, source in enumerate(addresses(8)))
    )


async def big_messages(port: int) -> None:
    """Send messages of 1 MiB without pause over fifty connections, half of which never read an answer."""
    await asyncio.gather(
        *(_pour(port, source, BIG_MESSAGE, n % 2 == 0) for n, source in enumerate(addresses(50)))
    )


async def idle_connections(port: int) -> None:
    """Hold 1,000 connections, half of them WebSockets, and say nothing."""
    held = []
    for index, source in zip(range(IDLE_CONNECTIONS), itertools.cycle(addresses(8)), strict=False):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            held.append(writer)
            if index % 2:
                writer.write(HANDSHAKE)
    await _under_way()


async def model_names(port: int) -> None:
    """Ask for models of ever new names, with NUL and other bytes in them, as fast as answers come."""

    def again(caller: Caller) -> None:
        name = "a\0" + secrets.token_hex(60) if secrets.randbits(1) else secrets.token_hex(127)
        text = json.dumps({"type": "get_metadata", "model_name": name})
        caller.ask(frame_message(name, 0) if secrets.randbits(1) else text, 0.0)  # type: ignore[arg-type]

    await _without_pause(port, 8, again)


async def greedy(port: int) -> None:
    """Have ten clients ask for frames as fast as they may, each with as many in flight as a connection takes."""
    turns = itertools.cycle(range(CLIP_FRAMES))

    def again(caller: Caller) -> None:
        caller.ask(frame_message("demo", next(turns)), 0.0)

    await _without_pause(port, 10, again)


async def batches(port: int) -> None:
    """Ask over gRPC for 1,024 frames at once, in eight calls at a time, without end; the port is gRPC's."""
    request = message_class(DEPLOYED, "BatchInferenceRequest")(
        model_name="demo", frame_ids=[n % CLIP_FRAMES for n in range(BATCH_FRAMES)]
    )
    options = [("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        call = channel.unary_unary(
            f"/{DEPLOYED}/GenerateBatchInference", request_serializer=type(request).SerializeToString
        )

        async def ask() -> None:
            while True:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    await call(request, timeout=60.0)
                await asyncio.sleep(0)

        asking = asyncio.gather(*(ask() for _ in range(BATCHES_AT_ONCE)))
        print("under way", flush=True)
        await asking


KINDS: dict[str, Callable[[int], Awaitable[None]]] = {
    kind.__name__: kind for kind in (pings, big_messages, idle_connections, model_names, greedy, batches)
}


async def _pour(port: int, source: str, content: bytes, is_reading: bool) -> None:
    """Send the same bytes over one connection without end, and over another when that is closed."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            writer.write(HANDSHAKE)
            await reader.readuntil(b"\r\n\r\n")
            print("under way", flush=True)
            reading = asyncio.create_task(_discard(reader)) if is_reading else None
            try:
                while True:
                    writer.write(content)
                    await writer.drain()
                    await asyncio.sleep(0)
            finally:
                writer.close()
                if reading is not None:
                    reading.cancel()
        await asyncio.sleep(0.01)


async def _discard(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        pass


async def _without_pause(port: int, count: int, again: Callable[[Caller], None]) -> None:
    async with callers(port, addresses(count), Answers(), again) as sockets:
        for socket in sockets:
            for _ in range(GREEDY_WINDOW):
                again(socket)
        await _under_way()


async def _under_way() -> None:
    print("under way", flush=True)
    await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def attacking(kind: Callable[[int], Awaitable[None]], port: int) -> AsyncIterator[None]:
    """Attack a port while the block runs, from a process that gives way to all others."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.attackers", kind.__name__, str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_LIMIT_S)
        assert line, f"the attack {kind.__name__} ended before it began"
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(KINDS[sys.argv[1]](int(sys.argv[2])))  # type: ignore[arg-type]
