"""LiveKit's own avatar runner on a stub room: what the tests give it, and all that it publishes."""

from __future__ import annotations

import asyncio
import contextlib
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput, VideoGenerator
from livekit.agents.voice.io import PlaybackFinishedEvent
from livekit.plugins.lipsync import LipsyncGenerator

from lipsync_client import SpeechPicture
from tests.agents.conftest import AVATAR

__all__ = [
    "RATE",
    "ROOT",
    "Relay",
    "Stage",
    "StubRoom",
    "playing",
    "sounds",
    "speech",
    "staged",
    "watch_pictures",
]

RATE = 16_000
ROOT = Path(__file__).parents[3]
HELD_OUT = ROOT / "demo" / "recordings" / "heldout.wav"
PATIENCE_S = 60.0
"""For a machine that may be busy."""


def speech(seconds: float, rate: int = RATE, start_s: float = 1.0) -> bytes:
    """Return some of the held-out voice, ``s16le``, at any rate."""
    with wave.open(str(HELD_OUT)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    places = (start_s + np.arange(round(seconds * rate)) / rate) * RATE
    voice: np.ndarray = np.interp(places, np.arange(len(samples)), samples)
    return voice.astype("<i2").tobytes()


class Relay:
    """What lies between a client and a bridge: it can be cut, and mended.

    Attributes:
        url: What the client is given.
    """

    def __init__(self, url: str) -> None:
        self._host, _, self._port = url.rpartition("/")[2].rpartition(":")
        self._connections: set[asyncio.Task[None]] = set()
        self._own_port = 0
        self._server: asyncio.Server
        self.url = ""

    async def __aenter__(self) -> Relay:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Take connections, on the same port each time."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._own_port)
        self._own_port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._own_port}"

    async def cut(self) -> None:
        """Drop all connections, and take no more."""
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        self._connections.clear()
        await asyncio.sleep(0)  # a transport closes its socket on the loop's next turn

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.create_task(self._connect(reader, writer)))

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with _aborted(writer):
            far_reader, far_writer = await asyncio.open_connection(self._host, int(self._port))
            with _aborted(far_writer), contextlib.suppress(OSError):
                await asyncio.gather(_pass(reader, far_writer), _pass(far_reader, writer))


@contextlib.contextmanager
def _aborted(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


class StubRoom(rtc.EventEmitter[str]):
    """As much of a room as a runner needs.

    Attributes:
        published: The tracks.
    """

    def __init__(self) -> None:
        super().__init__()
        self.name = "stub"
        self.identity = "agent"
        self.published: list[rtc.LocalTrack] = []

    @property
    def local_participant(self) -> StubRoom:
        return self

    def isconnected(self) -> bool:
        return True

    async def publish_track(self, track: rtc.LocalTrack, options: object) -> StubRoom:
        self.published.append(track)
        return self

    async def wait_for_subscription(self) -> None:
        return


class Stage:
    """A runner that runs.

    Attributes:
        queue: Where the agent's speech goes in.
        pushed: All that was given to LiveKit's synchronizer, in order.
        heard: All sound of it.
        finished: What the agent was told of each utterance's end.
        started: How often it was told that one begins.
    """

    def __init__(self, room: StubRoom, generator: VideoGenerator, options: Any) -> None:
        self.queue = QueueAudioOutput(sample_rate=options.audio_sample_rate, wait_playback_start=True)
        self.runner = AvatarRunner(room, audio_recv=self.queue, video_gen=generator, options=options)  # type: ignore[arg-type]
        self.pushed: list[rtc.VideoFrame | rtc.AudioFrame] = []
        self.finished: list[PlaybackFinishedEvent] = []
        self.started = 0
        self.heard = b""
        self._changed = asyncio.Condition()
        self._push = self.runner.av_sync.push
        self.runner.av_sync.push = self._spy  # type: ignore[method-assign]
        self.queue.on("playback_finished", self._note_finished)
        self.queue.on("playback_started", self._note_started)
        self._rate = options.audio_sample_rate

    async def say(self, pcm: bytes, size: int = 3200, *, ends: bool = True) -> None:
        """Say something, in pieces of ``size`` bytes."""
        for start in range(0, len(pcm), size):
            piece = pcm[start : start + size]
            await self.queue.capture_frame(rtc.AudioFrame(piece, self._rate, 1, len(piece) // 2))
        if ends:
            self.queue.flush()

    async def until(self, fulfilled: Callable[[], bool]) -> None:
        """Wait until something holds of what was published or told."""
        async with asyncio.timeout(PATIENCE_S), self._changed:
            await self._changed.wait_for(fulfilled)

    async def _spy(self, frame: rtc.VideoFrame | rtc.AudioFrame, timestamp: float | None = None) -> None:
        self.pushed.append(frame)
        self.heard += sounds([frame])
        async with self._changed:
            self._changed.notify_all()
        await self._push(frame, timestamp)

    def _note_finished(self, event: PlaybackFinishedEvent) -> None:
        self.finished.append(event)

    def _note_started(self, _: object) -> None:
        self.started += 1


def sounds(frames: list[Any]) -> bytes:
    """Return the sound among frames."""
    return b"".join(bytes(frame.data.cast("B")) for frame in frames if isinstance(frame, rtc.AudioFrame))


@asynccontextmanager
async def staged(generator: Any) -> AsyncIterator[Stage]:
    """Run a generator, which is started, until the block ends."""
    stage = Stage(StubRoom(), generator, generator.options)
    await stage.runner.start()
    try:
        yield stage
    finally:
        await stage.runner.aclose()


@asynccontextmanager
async def playing(url: str, **settings: Any) -> AsyncIterator[tuple[LipsyncGenerator, Stage]]:
    """Run a generator on a stage, with small pictures, as all are kept."""
    settings = {"height": 64, **settings}
    async with LipsyncGenerator(url, AVATAR, **settings) as generator, staged(generator) as stage:
        yield generator, stage


def watch_pictures(generator: LipsyncGenerator) -> dict[int, SpeechPicture]:
    """Note which picture each frame shows, by the frame's identity."""
    shown: dict[int, SpeechPicture] = {}
    make = generator._faces.frame

    async def frame(picture: SpeechPicture, timeout_s: float) -> rtc.VideoFrame | None:
        made = await make(picture, timeout_s)
        if made is not None:
            shown[id(made)] = picture
        return made

    generator._faces.frame = frame  # type: ignore[method-assign]
    return shown
