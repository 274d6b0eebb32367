"""livekit/plugins/lipsync/worker.py: LiveKit's own sender and receiver of speech, at two ends of a stub of a room."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.agents.voice.avatar import DataStreamAudioOutput
from livekit.plugins.lipsync import LipsyncGenerator
from livekit.plugins.lipsync.worker import serve

from tests.agents.conftest import AVATAR, Running
from tests.agents.livekit.stage import RATE, StubRoom, speech


class Stream:
    """A stream of bytes, both its ends."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.info = SimpleNamespace(attributes=attributes, stream_id="1")
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def write(self, data: bytes) -> None:
        self._pieces.put_nowait(data)

    async def aclose(self) -> None:
        self._pieces.put_nowait(None)

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        if (piece := await self._pieces.get()) is None:
            raise StopAsyncIteration
        return piece


class End(StubRoom):
    """One participant's end of a room for two."""

    def __init__(self, identity: str) -> None:
        super().__init__()
        self.identity = identity
        self.kind = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        self.state = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
        self.other: End
        self.listens = asyncio.Event()
        self._rpc_handlers: dict[str, Any] = {}
        self._stream_handlers: dict[str, Any] = {}

    @property
    def remote_participants(self) -> dict[str, End]:
        return {self.other.identity: self.other}

    def register_rpc_method(self, name: str, handler: Any) -> None:
        self._rpc_handlers[name] = handler

    def register_byte_stream_handler(self, topic: str, handler: Any) -> None:
        self._stream_handlers[topic] = handler
        self.listens.set()

    async def perform_rpc(self, *, destination_identity: str, method: str, payload: str) -> Any:
        assert destination_identity == self.other.identity
        data = rtc.RpcInvocationData("1", self.identity, payload, 5.0)
        answer = self.other._rpc_handlers[method](data)
        return await answer if inspect.isawaitable(answer) else answer

    async def stream_bytes(self, name: str, *, topic: str, attributes: dict[str, str], **_: Any) -> Stream:
        stream = Stream(attributes)
        self.other._stream_handlers[topic](stream, self.identity)
        return stream


@pytest.fixture
def ends() -> tuple[End, End]:
    """The agent's end of a room, and the worker's."""
    agent, worker = End("agent"), End("lipsync")
    agent.other, worker.other = worker, agent
    return agent, worker


async def test_an_agent_is_given_a_face(bridge: Running, ends: tuple[End, End]) -> None:
    """It sends its speech, hears how much of it was played, interrupts, and ends the worker when it leaves."""
    agent, worker = ends
    async with LipsyncGenerator(bridge.url, AVATAR, height=64) as generator:
        serving = asyncio.create_task(serve(worker, generator, "agent"))  # type: ignore[arg-type]
        await asyncio.wait_for(worker.listens.wait(), 60)
        voice = DataStreamAudioOutput(
            agent,  # type: ignore[arg-type]
            destination_identity="lipsync",
            wait_playback_start=True,
            clear_buffer_timeout=None,
        )
        started = asyncio.Event()
        voice.on("playback_started", lambda _: started.set())
        await say(voice, speech(1))
        event = await asyncio.wait_for(voice.wait_for_playout(), 60)
        assert (event.playback_position, event.interrupted) == (pytest.approx(1.0, abs=1e-9), False)
        started.clear()
        await say(voice, speech(8))
        await asyncio.wait_for(started.wait(), 60)
        voice.clear_buffer()
        event = await asyncio.wait_for(voice.wait_for_playout(), 60)
        assert event.interrupted
        assert 0 < event.playback_position < 8
        assert {type(track) for track in worker.published} == {rtc.LocalAudioTrack, rtc.LocalVideoTrack}
        worker.emit("participant_disconnected", agent)
        await asyncio.wait_for(serving, 20)


async def test_an_agent_that_leaves_before_it_spoke(bridge: Running) -> None:
    """The worker ends while it still waits for one, when the room is left."""
    alone = End("lipsync")
    alone.other = SimpleNamespace(identity="nobody", kind=0, state=0)  # type: ignore[assignment]
    async with LipsyncGenerator(bridge.url, AVATAR, height=64) as generator:
        serving = asyncio.create_task(serve(alone, generator, "agent"))  # type: ignore[arg-type]
        await asyncio.wait([serving], timeout=0)
        await asyncio.sleep(0)
        alone.emit("disconnected", "left")
        await asyncio.wait_for(serving, 20)


async def say(voice: DataStreamAudioOutput, pcm: bytes) -> None:
    """Say something."""
    for start in range(0, len(pcm), 3200):
        piece = pcm[start : start + 3200]
        await voice.capture_frame(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))
    voice.flush()


async def run(*arguments: str, **environment: str) -> tuple[int | None, str]:
    """Run the command; return its status and what it says on the standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livekit.plugins.lipsync.worker", *arguments),
        stderr=asyncio.subprocess.PIPE,
        env={key: value for key, value in os.environ.items() if "LIVEKIT" not in key} | environment,
    )
    _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_without_a_token() -> None:
    """It says what it needs."""
    status, said = await run("--avatar", AVATAR)
    assert status == 2
    assert "error: LIVEKIT_TOKEN must be a token, or LIVEKIT_API_KEY, LIVEKIT_API_SECRET and --room" in said


async def test_without_a_bridge() -> None:
    """One sentence names the bridge."""
    status, said = await run("--avatar", AVATAR, "--url", "http://127.0.0.1:9", "--livekit-token", "t")
    assert (status, said) == (
        1,
        "error: expected a bridge at http://127.0.0.1:9, got no answer: [Errno 111] Connection refused\n",
    )


async def test_without_a_livekit_server(bridge: Running) -> None:
    """One sentence names the server; a token is made of key and secret."""
    status, said = await run(
        *("--avatar", AVATAR, "--url", bridge.url, "--livekit-url", "ws://127.0.0.1:9", "--room", "r"),
        "--log-level=error",
        LIVEKIT_API_KEY="devkey",
        LIVEKIT_API_SECRET="a secret that is long enough for it",
    )
    assert status == 1
    sentence = "error: expected a LiveKit server that lets us in at ws://127.0.0.1:9, got: "
    assert any(line.startswith(sentence) for line in said.splitlines()), (
        said
    )  # LiveKit's own log comes any time
