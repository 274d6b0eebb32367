"""What several bridge tests share: connections to a bridge, plain HTTP requests, a Triton to SIGKILL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from bridge.config import BridgeConfig
from bridge.server import Bridge
from tests.fake_triton import FakeTriton

ROOT = Path(__file__).parents[2]
WAIT_S = 10.0
LOOK_EVERY_S = 0.005


def config_for(*tritons: FakeTriton | str, **settings: Any) -> BridgeConfig:
    """Return settings for these Tritons, on a free port, with short pauses."""
    addresses = tuple(triton if isinstance(triton, str) else triton.address for triton in tritons)
    return BridgeConfig(
        **{"upstreams": addresses, "port": 0, "grpc_port": -1, "probe_interval_s": 0.02, **settings}
    )


@contextlib.asynccontextmanager
async def connected(bridge: Bridge | int) -> AsyncIterator[ClientConnection]:
    """Connect to a bridge, or to one on that port."""
    port = bridge if isinstance(bridge, int) else bridge.port
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, close_timeout=1) as websocket:
        yield websocket


async def receive(websocket: ClientConnection) -> Any:
    """Return the next answer: bytes, or an object for text; TimeoutError after WAIT_S."""
    message = await asyncio.wait_for(websocket.recv(), WAIT_S)
    return json.loads(message) if isinstance(message, str) else message


async def http(
    port: int, path: str, method: str = "GET", body: bytes = b"", **fields: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one HTTP request; return status, headers by lower-case name, and body.

    A field ``if_none_match`` is the header If-None-Match.
    """
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return await exchange(port, "\r\n".join([*lines, "", ""]).encode() + body)


async def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send these bytes; return the answer as ``http`` does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), WAIT_S)
    finally:
        writer.close()
        await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(status.split()[1]), {key.lower(): value for key, value in headers.items()}, body


async def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds that this process brings about, else raise TimeoutError after WAIT_S."""
    for _ in range(round(WAIT_S / LOOK_EVERY_S)):
        if condition():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise TimeoutError("the condition does not hold")


@contextlib.asynccontextmanager
async def triton_process(*arguments: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run a fake Triton of its own process, to be killed; yields its address and the process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fake_triton", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        address = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode().strip()
        yield address, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
