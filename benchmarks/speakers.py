"""Many live sessions in one process, cheap enough to share a machine with what they measure.

What a session's client sees, it notes by its own clock, on which the session starts when ``started`` comes:

- A picture's lateness is its arrival less the time it was due: its number by 25 seconds after the start. What is
  below 0 came before its time.
- The first picture of an utterance is timed from when the sound was sent that completes what it hears.
- A picture is skipped if its sound was sent and it never came.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.frames import Frame, Opcode

from benchmarks.errors import LoadFailed
from benchmarks.websocket import ClientSocket, opened
from bridge.live.wire import HEADER, HEADER_BYTES, SUBPROTOCOL, Flags
from demo.recording import read_recording
from speech.contract import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from speech.mel import FFT_SIZE, HOP, WINDOW_FRAMES, window_start
from speech.utterance import LOOK_AHEAD_VECTORS

__all__ = ["BURSTS", "FIRST_NEEDS", "MICROPHONE", "Feed", "Heard", "SpeechSocket", "speak", "utterance"]

FIRST_NEEDS = (window_start(LOOK_AHEAD_VECTORS) + WINDOW_FRAMES - 1) * HOP + FFT_SIZE // 2
"""Samples that an utterance's first picture hears: 7,200, of which any later one may need 40 more after its start."""

SAMPLE_BYTES = 2
START_LIMIT_S = 60.0
LAST_LIMIT_S = 5.0
"""How long pictures may still come after the last sound."""


@dataclass(frozen=True)
class Feed:
    """How sound comes in: in pieces, each when all of it is there, ``speed`` times as fast as it sounds."""

    name: str
    piece_samples: int
    speed: float


MICROPHONE = Feed("microphone, 32 ms", 512, 1.0)
BURSTS = Feed("bursts, 0.5 s five times as fast", 8_000, 5.0)


@dataclass
class Heard:
    """What the clients of some sessions saw.

    Attributes:
        expected: Pictures whose sound was sent.
        pictures: Those that came.
        late_ms: Of each, its lateness.
        first_ms: Of each utterance, how long its first picture took.
        behind_ms: Of each piece of sound, how long after its time it was sent: this process's own lateness.
    """

    expected: int = 0
    pictures: int = 0
    late_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    behind_ms: list[float] = field(default_factory=list)

    @property
    def skipped(self) -> int:
        """Pictures that never came."""
        return self.expected - self.pictures


class SpeechSocket(ClientSocket):
    """One session: sends sound, notes when pictures come.

    Attributes:
        ended: How many utterances are over.
    """

    def __init__(self, port: int, avatar: str, heard: Heard) -> None:
        super().__init__(port, "/speech", SUBPROTOCOL)
        self.ended = 0
        self._heard = heard
        self._avatar = avatar
        self._changed = asyncio.Event()
        self._started_s: float | None = None
        self._complete_s: dict[int, float] = {}

    async def start(self) -> None:
        """Begin the session, and wait for it to have begun."""
        self.send(json.dumps({"type": "start", "avatar": self._avatar}))
        while self._started_s is None:
            await self._change()

    async def say(self, pcm: bytes, first_sample: int, feed: Feed, begin_s: float) -> None:
        """Send an utterance, whose sound begins at ``begin_s`` of the event loop's clock, and end it."""
        loop = asyncio.get_running_loop()
        size = feed.piece_samples * SAMPLE_BYTES
        for start in range(0, len(pcm), size):
            piece = pcm[start : start + size]
            end = (start + len(piece)) // SAMPLE_BYTES
            due_s = begin_s + end / SAMPLE_RATE_HZ / feed.speed
            await asyncio.sleep(due_s - loop.time())
            self._heard.behind_ms.append((loop.time() - due_s) * 1000)
            if start < FIRST_NEEDS * SAMPLE_BYTES <= start + len(piece):
                self._complete_s[first_sample] = loop.time()
            self.send(piece)
        self.send('{"type": "end"}')
        self._heard.expected += len(pcm) // SAMPLE_BYTES // SAMPLES_PER_FRAME

    async def until_ended(self, utterances: int) -> None:
        """Wait for the end of so many utterances."""
        while self.ended < utterances:
            await self._change()

    def take(self, message: Frame) -> None:
        """Note a picture, or an event."""
        if message.opcode is Opcode.BINARY:
            self._take_picture(message.data)
            return
        event = json.loads(bytes(message.data))
        if event["type"] == "started":
            self._started_s = asyncio.get_running_loop().time()
        elif event["type"] == "ended":
            self.ended += 1
        elif event["type"] == "error" and event["fatal"] and not self.failed.done():
            self.failed.set_exception(LoadFailed("a live session", event["error"]))
        self._changed.set()

    def _take_picture(self, data: bytes | bytearray | memoryview) -> None:
        _, _, flags, _, number, _, sample, *_ = HEADER.unpack(data[:HEADER_BYTES])
        if not flags & Flags.SPEECH:
            return
        assert self._started_s is not None
        now_s = asyncio.get_running_loop().time()
        self._heard.pictures += 1
        self._heard.late_ms.append((now_s - self._started_s - number / FPS) * 1000)
        if flags & Flags.FIRST and sample in self._complete_s:
            self._heard.first_ms.append((now_s - self._complete_s.pop(sample)) * 1000)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def utterance(seconds: float, turn: int = 0) -> bytes:
    """Return whole pictures' worth of real speech as PCM, another stretch of it each turn."""
    sound = read_recording("served").sound
    count = int(seconds * FPS) * SAMPLES_PER_FRAME
    start = turn * SAMPLE_RATE_HZ % max(1, len(sound) - count)
    return bytes(sound[start : start + count].astype("<i2").tobytes())


async def speak(port: int, avatar: str, sessions: int, feed: Feed, seconds: float, utterances: int) -> Heard:
    """Have sessions speak without pauses, ``utterances`` of ``seconds`` each, not all beginning at once.

    Raises:
        LoadFailed: If a session is refused or ends.
    """
    heard = Heard()
    async with opened(port, [lambda: SpeechSocket(port, avatar, heard)] * sessions) as sockets:
        if not await _unless_one_fails(sockets, [socket.start() for socket in sockets], START_LIMIT_S):
            raise LoadFailed("a live session", f"no start within {START_LIMIT_S:g} s")
        begin_s = asyncio.get_running_loop().time()
        talks = [
            _talk(socket, feed, begin_s + seconds * turn / sessions, seconds, utterances, turn)
            for turn, socket in enumerate(sockets)
        ]
        await _unless_one_fails(sockets, talks, None)
        ends = [socket.until_ended(utterances) for socket in sockets]
        await _unless_one_fails(sockets, ends, LAST_LIMIT_S)
    return heard


async def _talk(
    socket: SpeechSocket, feed: Feed, begin_s: float, seconds: float, utterances: int, turn: int
) -> None:
    samples = 0
    for number in range(utterances):
        pcm = utterance(seconds, turn + number)
        await socket.say(pcm, samples, feed, begin_s + number * seconds)
        samples += len(pcm) // SAMPLE_BYTES


async def _unless_one_fails(
    sockets: Sequence[SpeechSocket], work: Sequence[Coroutine[Any, Any, None]], limit_s: float | None
) -> bool:
    """Wait for all work, until the limit or a session that fails; return whether all of it is done."""
    all_work = asyncio.gather(*work)
    waited: list[asyncio.Future[Any]] = [all_work, *(socket.failed for socket in sockets)]
    done, _ = await asyncio.wait(waited, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    if all_work not in done:
        all_work.cancel()
        await asyncio.gather(all_work, return_exceptions=True)
    for one in done:
        one.result()
    return all_work in done
