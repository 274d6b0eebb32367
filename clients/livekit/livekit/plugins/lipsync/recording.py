"""A room without a server: what is published into it is written to a video, as one who watches would have it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from livekit import rtc

from lipsync_client.speech_wire import FPS
from lipsync_client.video_file import VideoFile, replacing

__all__ = ["RecordingRoom", "recorded"]

SOUND_RATE = 48_000
SLOT_SAMPLES = SOUND_RATE // FPS
IDENTITY = "agent"


class RecordingRoom(rtc.EventEmitter[str]):
    """As much of a LiveKit room as an agent's avatar needs: it is connected, and tracks can be published into it.

    Published tracks are read as a subscriber would: 25 times a second, the picture that was last, and the sound.

    Args:
        path: Where to write them.

    Attributes:
        name: Of the room.
        local_participant: The agent, with an ``identity``, who publishes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = "recording"
        self.local_participant = _Publisher(self)
        self._path = path
        self._video: VideoFile | None = None
        self._picture: rtc.VideoFrame | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lipsync-recording")

    def isconnected(self) -> bool:
        """Tell that the room is there."""
        return True

    def record(self, track: rtc.LocalTrack) -> None:
        """Read a track from now on."""
        is_sound = isinstance(track, rtc.LocalAudioTrack)
        reading = self._read_sound(track) if is_sound else self._read_pictures(track)
        self._tasks.append(asyncio.create_task(reading))

    async def stop(self) -> None:
        """Stop reading the tracks, and complete the file.

        Raises:
            OSError: If what was read could not be written.
        """
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._writer, self._finish)
        self._writer.shutdown()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _read_pictures(self, track: rtc.LocalTrack) -> None:
        stream = rtc.VideoStream(track, format=rtc.VideoBufferType.I420)
        try:
            async for event in stream:
                self._picture = event.frame
        finally:
            await stream.aclose()

    async def _read_sound(self, track: rtc.LocalTrack) -> None:
        heard, loop = bytearray(), asyncio.get_running_loop()
        stream = rtc.AudioStream.from_track(track=track, sample_rate=SOUND_RATE, num_channels=1)
        try:
            async for event in stream:
                if self._picture is None:
                    continue  # the video begins with its first picture
                heard += event.frame.data.cast("B")
                while len(heard) >= 2 * SLOT_SAMPLES:
                    pcm = bytes(heard[: 2 * SLOT_SAMPLES])
                    del heard[: 2 * SLOT_SAMPLES]
                    await loop.run_in_executor(self._writer, self._write, self._picture, pcm)
        finally:
            await stream.aclose()

    def _write(self, picture: rtc.VideoFrame, pcm: bytes) -> None:
        if self._video is None:
            self._video = VideoFile(self._path, picture.width, picture.height, SOUND_RATE, "mono")
        planes = np.frombuffer(picture.data, np.uint8).reshape(picture.height * 3 // 2, picture.width)
        self._video.write_picture(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420).astype(np.uint8, copy=False))
        sound = av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2")[None], format="s16", layout="mono")
        sound.sample_rate = SOUND_RATE
        self._video.write_sound(sound)

    def _finish(self) -> None:
        if self._video is not None:
            self._video.finish()


class _Publisher:
    """Who publishes into a recording room."""

    def __init__(self, room: RecordingRoom) -> None:
        self.identity = IDENTITY
        self._room = room

    async def publish_track(self, track: rtc.LocalTrack, options: Any) -> _Publication:
        self._room.record(track)
        return _Publication()


class _Publication:
    async def wait_for_subscription(self) -> None:
        """Return at once: who records has subscribed."""


@asynccontextmanager
async def recorded(path: Path) -> AsyncIterator[Any]:
    """Lend a room, to be taken for an ``rtc.Room``, that is recorded into an MP4: it is there once the block ends well.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as temporary:
        room = RecordingRoom(temporary)
        try:
            yield room
        finally:
            await room.stop()
