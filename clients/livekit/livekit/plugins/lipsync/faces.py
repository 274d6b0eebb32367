"""Pictures of live speech as frames of a video: decoded, put into their full frame, of one even size."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from livekit import rtc
from numpy.typing import NDArray

from lipsync_client import InvalidAnswer, LipsyncError, SpeechPicture
from lipsync_client.full_frames import FullFrames
from lipsync_client.pasting import paste
from lipsync_client.speech_settings import SpeechSettings

__all__ = ["Faces"]

WORKERS = 2
REMEMBERED_BYTES = 64 << 20
"""Silent pictures come again and again: so much of them is kept as it is shown."""

Pixels = NDArray[np.uint8]

logger = logging.getLogger("livekit.plugins.lipsync")


class Faces:
    """Makes frames of pictures, in threads of its own; ``close`` ends these.

    Args:
        settings: Of the session; its bridge has the full frames.
        height: Of a frame, pixels, even; None for the clip's own. The width goes with it.
    """

    def __init__(self, settings: SpeechSettings, height: int | None = None) -> None:
        self._avatar = settings.avatar
        self._full_frames = FullFrames(settings)
        self._height = height
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="lipsync-faces")
        self._pending: set[asyncio.Future[rtc.VideoFrame]] = set()
        self._silent: OrderedDict[int, tuple[bytes, rtc.VideoFrame]] = OrderedDict()
        self._silent_bytes = 0
        self._is_failing = False

    async def size(self) -> tuple[int, int]:
        """Return width and height of every frame; the bridge is asked for the clip's first.

        Raises:
            LipsyncError: If the bridge does not answer with a full frame.
        """
        jpeg = await asyncio.get_running_loop().run_in_executor(self._executor, self._full_frames.get, 0)
        height, width = self._scaled(_decoded(jpeg, self._avatar)).shape[:2]
        return width, height

    async def frame(self, picture: SpeechPicture, timeout_s: float) -> rtc.VideoFrame | None:
        """Return a picture in its full frame; None if it cannot be had, or not in time."""
        if (known := self._remembered(picture)) is not None:
            return known
        if len(self._pending) >= WORKERS:  # of a bridge that hangs: nothing is gained by asking for more
            return None
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._executor, self._compose, picture)
        self._pending.add(future)
        future.add_done_callback(self._finished)
        await asyncio.wait([future], timeout=timeout_s)
        if not future.done() or future.exception() is not None:
            return None
        if picture.is_silent:
            self._remember(picture, future.result())
        return future.result()

    def close(self) -> None:
        """End the threads, without waiting for one that waits for the bridge."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _finished(self, future: asyncio.Future[rtc.VideoFrame]) -> None:
        self._pending.discard(future)
        error = None if future.cancelled() else future.exception()
        if isinstance(error, LipsyncError) and not self._is_failing:
            logger.warning("a picture cannot be shown: %s", error)
        elif error is not None and not isinstance(error, LipsyncError):
            logger.error("a bug: a picture was not put together", exc_info=error)
        self._is_failing = error is not None

    def _remembered(self, picture: SpeechPicture) -> rtc.VideoFrame | None:
        if picture.is_silent and picture.frame_id in self._silent:
            jpeg, frame = self._silent[picture.frame_id]
            if jpeg == picture.jpeg:
                self._silent.move_to_end(picture.frame_id)
                return frame
        return None

    def _remember(self, picture: SpeechPicture, frame: rtc.VideoFrame) -> None:
        if picture.frame_id not in self._silent:
            self._silent_bytes += len(frame.data)
        self._silent[picture.frame_id] = picture.jpeg, frame
        while self._silent_bytes > REMEMBERED_BYTES:
            _, (_, oldest) = self._silent.popitem(last=False)
            self._silent_bytes -= len(oldest.data)

    def _compose(self, picture: SpeechPicture) -> rtc.VideoFrame:
        full_frame = _decoded(self._full_frames.get(picture.frame_id), self._avatar)
        pixels = paste(full_frame, _decoded(picture.jpeg, self._avatar), picture.bounds, picture.border)
        scaled = self._scaled(pixels)
        height, width = scaled.shape[:2]
        planes = cv2.cvtColor(scaled, cv2.COLOR_BGR2YUV_I420)
        return rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, planes.tobytes())

    def _scaled(self, pixels: Pixels) -> Pixels:
        """Return pixels of the size to be shown: I420 has even ones, so that an odd row or column is left out."""
        height, width = pixels.shape[:2]
        if self._height is not None and self._height != height:
            wanted = max(2, round(width * self._height / height / 2) * 2)
            resized = cv2.resize(pixels, (wanted, self._height), interpolation=cv2.INTER_AREA)
            return resized.astype(np.uint8, copy=False)
        return np.ascontiguousarray(pixels[: height // 2 * 2, : width // 2 * 2])


def _decoded(jpeg: bytes, avatar: str) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise InvalidAnswer(avatar, "JPEGs that can be decoded", f"{len(jpeg)} bytes that cannot")
    return pixels.astype(np.uint8, copy=False)
