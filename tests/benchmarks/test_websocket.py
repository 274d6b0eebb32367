"""benchmarks/websocket.py"""

from __future__ import annotations

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.errors import LoadFailed
from benchmarks.websocket import connected, frame_message, play_at_rate, request_without_pause

MESSAGES = [frame_message("demo", frame_id) for frame_id in range(3)]
JPEG = b"\xff\xd8" + bytes(30_000)


@pytest_asyncio.fixture
async def answering():
    """A WebSocket server that answers a request with a picture, and one for ``bad`` with a text."""
    seen: list[bytes] = []

    async def handle(websocket: ServerConnection) -> None:
        async for message in websocket:
            seen.append(message)
            await websocket.send("no such frame" if message[1:4] == b"bad" else JPEG)

    async with serve(handle, "127.0.0.1", 0, compression=None) as server:
        yield server.sockets[0].getsockname()[1], seen


def test_message():
    """A request is the length of the name, the name, and the frame id in four bytes, little endian."""
    assert frame_message("demo", 258) == b"\x04demo\x02\x01\x00\x00"


async def test_without_pause(answering):
    """Each client asks again as soon as it has its answer; every answer is timed."""
    port, seen = answering
    done = await request_without_pause(port, 2, MESSAGES, 0.3)
    assert len(done.latencies_ms) > 2
    assert len(done.latencies_ms) <= len(seen) <= len(done.latencies_ms) + 2
    assert set(seen) == set(MESSAGES)


async def test_at_rate(answering):
    """Players ask at their rate and no faster, whatever the answers do."""
    port, seen = answering
    latencies_ms: list[float] = []
    async with connected(port, 3, lambda _, latency_ms: latencies_ms.append(latency_ms)) as players:
        asked = await play_at_rate(players, MESSAGES, 20.0, 0.5)
    assert asked == len(seen) == 30
    assert len(latencies_ms) == 30


async def test_anything_but_a_picture_fails(answering):
    """An error message from the server ends the measurement with its words."""
    port, _ = answering
    with pytest.raises(LoadFailed, match=r"a WebSocket client: expected frames, got .*no such frame"):
        await request_without_pause(port, 1, [frame_message("bad", 0)], 5.0)
