"""A pipeline with the service and a listener at its end, and what is said in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
import wave
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    OutputImageRawFrame,
    OutputTransportReadyFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from pipecat_lipsync import LipSyncVideoService
from tests.agents.conftest import ROOT, Running

__all__ = [
    "Conversation",
    "Listener",
    "audio_of",
    "images_of",
    "running_pipeline",
    "said",
    "service_for",
    "voice",
]

WAIT_S = 60.0
"""Deadline of every wait: only a failing test waits that long."""

Samples = NDArray[np.int16]


def voice(seconds: float, rate: int = 16_000, channels: int = 1) -> Samples:
    """Return the beginning of the held-out recording, (S, C); of other rates, its samples as if they were of those."""
    with wave.open(str(ROOT / "demo" / "recordings" / "heldout.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    pcm = np.tile(pcm[16_000:], 1 + int(seconds * rate) // len(pcm))[: round(seconds * rate)]
    return np.stack([pcm] * channels, axis=1)


def tone(number: int, seconds: float) -> Samples:
    """Return sound whose every sample is ``number``, so that a trace of it can be told from all else."""
    return np.full((round(seconds * 16_000), 1), number, np.int16)


def said(samples: Samples, rate: int = 16_000, piece_ms: int = 100, **fields: Any) -> list[TTSAudioRawFrame]:
    """Return speech as a voice's frames."""
    size = rate * piece_ms // 1000
    pieces = [samples[start : start + size] for start in range(0, len(samples), size)]
    return [TTSAudioRawFrame(piece.tobytes(), rate, samples.shape[1], **fields) for piece in pieces]


def service_for(bridge: Running, **options: Any) -> LipSyncVideoService:
    """Return a service that is patient with a busy machine."""
    return LipSyncVideoService(url=bridge.url, **{"picture_timeout_s": WAIT_S, **options})


def audio_of(frames: list[Frame]) -> bytes:
    """Return all sound among frames."""
    return b"".join(frame.audio for frame in frames if isinstance(frame, TTSAudioRawFrame))


def images_of(frames: list[Frame]) -> list[OutputImageRawFrame]:
    """Return all pictures among frames."""
    return [frame for frame in frames if isinstance(frame, OutputImageRawFrame)]


class Listener(FrameProcessor):
    """Keeps what it is given, in order.

    Attributes:
        frames: All so far.
        times_s: When each came.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.times_s: list[float] = []
        self._changed = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction == FrameDirection.DOWNSTREAM and not isinstance(frame, StartFrame):
            self.frames.append(frame)
            self.times_s.append(time.monotonic())
            self._changed.set()
        await self.push_frame(frame, direction)

    def forget(self) -> None:
        """Begin anew."""
        self.frames.clear()
        self.times_s.clear()

    async def until(self, condition: Callable[[list[Frame]], object]) -> None:
        """Return once what came fulfils a condition."""
        async with asyncio.timeout(WAIT_S):
            while not condition(self.frames):
                self._changed.clear()
                await self._changed.wait()


@dataclass
class Conversation:
    """A pipeline that runs.

    Attributes:
        worker: Runs it.
        listener: At its end.
        errors: What the service reported.
        heard_s: How much sound the service was given, in seconds.
    """

    worker: PipelineWorker
    listener: Listener
    errors: list[ErrorFrame] = field(default_factory=list)
    heard_s: float = 0.0
    _is_open: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, *frames: Frame) -> None:
        """Queue frames at the pipeline's beginning."""
        for frame in frames:
            await self.worker.queue_frame(frame)

    async def opened(self) -> None:
        """Return once a session of the service has begun."""
        await asyncio.wait_for(self._is_open.wait(), WAIT_S)

    async def heard(self, seconds: float) -> None:
        """Return once the service was given so much sound."""
        await self._until(lambda: self.heard_s >= seconds - 1e-6)

    async def troubled(self) -> None:
        """Return once the service reported an error."""
        await self._until(lambda: self.errors)

    def watch(self, service: FrameProcessor) -> None:
        """Take note of what becomes of the service."""

        async def on_connected(service: FrameProcessor) -> None:
            self._is_open.set()

        async def on_error(service: FrameProcessor, error: ErrorFrame) -> None:
            self.errors.append(error)
            self._changed.set()

        async def on_after_process_frame(service: FrameProcessor, frame: Frame) -> None:
            if isinstance(frame, TTSAudioRawFrame):
                self.heard_s += frame.num_frames / frame.sample_rate
                self._changed.set()

        if isinstance(service, LipSyncVideoService):
            service.add_event_handler("on_connected", on_connected)
        for handler in (on_error, on_after_process_frame):
            service.add_event_handler(handler.__name__, handler)

    async def _until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def running_pipeline(
    service: FrameProcessor, *, rate: int = 16_000, **params: Any
) -> AsyncIterator[Conversation]:
    """Run the service before a listener that says it is a transport that is ready."""
    listener = Listener()
    chosen = PipelineParams(audio_out_sample_rate=rate, **params)
    worker = PipelineWorker(
        Pipeline([service, listener]), params=chosen, cancel_on_idle_timeout=False, enable_rtvi=False
    )
    running = Conversation(worker, listener)
    running.watch(service)
    started = asyncio.Event()

    async def on_pipeline_started(worker: PipelineWorker, frame: Frame) -> None:
        started.set()

    worker.add_event_handler("on_pipeline_started", on_pipeline_started)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    task = asyncio.create_task(runner.run())
    try:
        await asyncio.wait_for(started.wait(), WAIT_S)
        await listener.push_frame(OutputTransportReadyFrame(), FrameDirection.UPSTREAM)
        yield running
    finally:
        await worker.cancel()
        await task
