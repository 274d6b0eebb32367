"""Measures the avatar beside a generator that does nothing: both in LiveKit's own runner, on a room without a server.

python figures.py SOUND.wav [BRIDGE] [MINUTES]
"""

import asyncio
import statistics
import sys
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from livekit import rtc
from livekit.agents.voice.avatar import (
    AudioSegmentEnd,
    AvatarOptions,
    AvatarRunner,
    QueueAudioOutput,
    VideoGenerator,
)
from livekit.plugins.lipsync import LipsyncGenerator
from livekit.plugins.lipsync.recording import RecordingRoom

RATE, SLOT = 16_000, 640
TRIALS = 10


class NullGenerator(VideoGenerator):
    """Gives sound back at once, 40 ms after a still picture each."""

    options = AvatarOptions(512, 512, 25, RATE, 1)

    def __init__(self) -> None:
        self._sound = bytearray()
        self._is_ended = False
        self._still = rtc.VideoFrame(512, 512, rtc.VideoBufferType.I420, bytes(512 * 768))

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        if isinstance(frame, AudioSegmentEnd):
            self._is_ended = True
        else:
            self._sound += frame.data.cast("B")

    def clear_buffer(self) -> None:
        self._sound.clear()

    async def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        while True:
            yield self._still
            if self._sound:
                pcm = bytes(self._sound[: 2 * SLOT])
                del self._sound[: 2 * SLOT]
                yield rtc.AudioFrame(pcm, RATE, 1, len(pcm) // 2)
            elif self._is_ended:
                self._is_ended = False
                yield AudioSegmentEnd()


class Tracks(RecordingRoom):
    """A room in which somebody listens: when sound was heard last, and whether any is."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.heard_s = 0.0

    def record(self, track: rtc.LocalTrack) -> None:
        if isinstance(track, rtc.LocalAudioTrack):
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.LocalTrack) -> None:
        stream = rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1)
        async for event in stream:
            if any(event.frame.data):
                self.heard_s = time.perf_counter()


class Run:
    """A runner, and what went through it."""

    def __init__(self, generator: Any) -> None:
        self.room = Tracks()
        self.queue = QueueAudioOutput(sample_rate=RATE, wait_playback_start=True)
        self.runner = AvatarRunner(
            self.room,  # type: ignore[arg-type]
            audio_recv=self.queue,
            video_gen=generator,
            options=generator.options,
        )
        self.sound = self.spoken = 0
        self.first = asyncio.Event()
        self._is_picture_new = False
        self._push = self.runner.av_sync.push
        self.runner.av_sync.push = self._count  # type: ignore[method-assign]

    async def say(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 3200):
            piece = pcm[start : start + 3200]
            await self.queue.capture_frame(rtc.AudioFrame(piece, RATE, 1, len(piece) // 2))
        self.queue.flush()

    async def _count(self, frame: rtc.VideoFrame | rtc.AudioFrame, timestamp: float | None = None) -> None:
        if isinstance(frame, rtc.AudioFrame):
            self.first.set()
            self.sound += frame.samples_per_channel
            self.spoken += self._is_picture_new
        self._is_picture_new = isinstance(frame, rtc.VideoFrame)
        await self._push(frame, timestamp)


@asynccontextmanager
async def running(generator: Any) -> AsyncIterator[Run]:
    run = Run(generator)
    await run.runner.start()
    try:
        yield run
    finally:
        await run.runner.aclose()
        await run.room.stop()


async def measure(name: str, generator: Any, pcm: bytes, minutes: float) -> None:
    """Print one row."""
    first, silent, inexact = [], [], 0
    async with running(generator) as run:
        for _ in range(TRIALS):
            run.first.clear()
            began, told, before = time.perf_counter(), [], run.sound
            run.queue.once("playback_finished", told.append)
            await run.say(pcm)
            await run.first.wait()
            first.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
            cleared = time.perf_counter()
            run.queue.clear_buffer()
            await asyncio.sleep(1.0)
            silent.append(max(0.0, run.room.heard_s - cleared))
            inexact += abs(told[0].playback_position * RATE - (run.sound - before)) > 1e-3
        run.sound = run.spoken = 0
        long = (pcm * 100)[: int(minutes * 60 * RATE) * 2]
        await run.say(long)
        began = time.perf_counter()
        await run.queue.wait_for_playout()
        elapsed = time.perf_counter() - began
    missed = getattr(generator, "missed", 0)
    print(
        f"{name:8} first picture {statistics.median(first) * 1000:4.0f} ms (most {max(first) * 1000:.0f}), "
        f"clear to silence {statistics.median(silent) * 1000:3.0f} ms (most {max(silent) * 1000:.0f}), "
        f"played position wrong {inexact} of {TRIALS}; {run.sound} samples in {elapsed:.1f} s, "
        f"drift {run.sound - SLOT * run.spoken} samples, {missed} pictures late or left out",
        flush=True,
    )


async def main(sound: str, bridge: str = "http://localhost:8086", minutes: str = "10") -> None:
    """Measure both, one after another."""
    with wave.open(sound) as file:  # 16 kHz, mono
        pcm = file.readframes(file.getnframes())
    avatar = LipsyncGenerator(bridge, "demo")
    for name, generator in (("null", NullGenerator()), ("lipsync", avatar)):
        async with generator if isinstance(generator, LipsyncGenerator) else nullcontext():
            await measure(name, generator, pcm, float(minutes) if name == "lipsync" else 0.2)


asyncio.run(main(*sys.argv[1:]))
