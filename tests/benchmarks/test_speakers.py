"""benchmarks/speakers.py"""

from __future__ import annotations

import json

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.errors import LoadFailed
from benchmarks.speakers import BURSTS, FIRST_NEEDS, MICROPHONE, Feed, speak, utterance
from bridge.live.wire import Flags, Packet
from speech.utterance import Utterance

FAST = Feed("fast", 4_000, 50.0)


def picture(number: int, flags: Flags) -> bytes:
    """Return one picture of an utterance that began with the session."""
    return Packet(flags, 0, number, 0, number * 640, (0, 0, 1, 1), 4, b"\xff\xd8").encode()


async def answer(websocket: ServerConnection) -> None:
    """Stand in for the bridge: of each utterance, send two pictures of speech and a silent one."""
    async for message in websocket:
        event = json.loads(message) if isinstance(message, str) else {}
        if event.get("avatar") == "nobody":
            await websocket.send(json.dumps({"type": "error", "error": "no such avatar", "fatal": True}))
        elif event.get("type") == "start":
            await websocket.send(json.dumps({"type": "started"}))
        elif event.get("type") == "end":
            await websocket.send(picture(0, Flags.SPEECH | Flags.FIRST))
            await websocket.send(picture(1_000, Flags.SPEECH))
            await websocket.send(picture(1_001, Flags.SILENT))
            await websocket.send(json.dumps({"type": "ended"}))


async def test_what_a_client_sees() -> None:
    """Pictures of speech are counted and timed; what was said and not shown is skipped."""
    async with serve(answer, "127.0.0.1", 0, subprotocols=["lipsync.speech.v1"]) as server:  # type: ignore[list-item]
        heard = await speak(server.sockets[0].getsockname()[1], "demo", 2, FAST, 1.0, 1)
    assert (heard.expected, heard.pictures, heard.skipped) == (50, 4, 46)
    assert len(heard.first_ms) == 2
    assert all(0 <= value < 60_000 for value in heard.first_ms)
    late, early = sorted(heard.late_ms)[2:], sorted(heard.late_ms)[:2]
    assert all(value > 0 for value in late)
    assert all(-40_000 < value < 0 for value in early)
    assert len(heard.behind_ms) == 2 * 4


async def test_a_refused_session_fails() -> None:
    """A fatal error of the bridge ends the measurement with its words."""
    async with serve(answer, "127.0.0.1", 0, subprotocols=["lipsync.speech.v1"]) as server:  # type: ignore[list-item]
        with pytest.raises(LoadFailed, match=r"^a live session: expected frames, got no such avatar$"):
            await speak(server.sockets[0].getsockname()[1], "nobody", 1, FAST, 1.0, 1)


def test_what_the_first_picture_needs() -> None:
    """The first picture is heard with exactly so many samples."""
    heard = Utterance()
    heard.feed(np.zeros(FIRST_NEEDS - 1, np.float32))
    assert not heard.is_heard(0)
    heard.feed(np.zeros(1, np.float32))
    assert heard.is_heard(0)


def test_sound() -> None:
    """An utterance is as long as it is to be, in whole pictures; the next turn's is another one."""
    assert len(utterance(1.05)) == 26 * 640 * 2
    assert utterance(1.0, 1) != utterance(1.0, 2)
    assert 0.02 <= MICROPHONE.piece_samples / 16_000 <= 0.04
    assert BURSTS.speed > 1
