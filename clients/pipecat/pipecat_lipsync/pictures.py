"""Pictures of a session as Pipecat shows them: RGB, the face alone or within its full frame."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
from numpy.typing import NDArray
from pipecat.frames.frames import OutputImageRawFrame

from lipsync_client import InvalidAnswer, SpeechPicture
from lipsync_client.full_frames import FullFrames
from lipsync_client.pasting import paste
from lipsync_client.speech_settings import SpeechSettings

__all__ = ["Pictures"]

TOLD = ("epoch", "number", "frame_id", "sample")

Pixels = NDArray[np.uint8]


class Pictures:
    """Makes frames of pictures, in a thread: decoding takes milliseconds, and a full frame may have to be asked for.

    Args:
        settings: Of the session.
        full_frame: Whether a picture is pasted into its full frame, by the rule that all clients share.
    """

    def __init__(self, settings: SpeechSettings, *, full_frame: bool) -> None:
        self._avatar = settings.avatar
        self._full_frames = FullFrames(settings) if full_frame else None

    async def frame_of(self, picture: SpeechPicture) -> OutputImageRawFrame:
        """Return a picture as a frame that is shown when all sound before it was played.

        Its ``metadata["lipsync"]`` says what it is: ``epoch``, ``number``, ``frame_id`` and ``sample``, as the protocol
        has them.

        Raises:
            InvalidAnswer: If the bridge sent no JPEG that can be decoded.
            LipsyncError: If its full frame cannot be had.
        """
        pixels = await asyncio.to_thread(self._compose, picture)
        height, width = pixels.shape[:2]
        frame = OutputImageRawFrame(pixels.tobytes(), (width, height), "RGB")
        frame.sync_with_audio = True
        frame.metadata["lipsync"] = {name: getattr(picture, name) for name in TOLD}
        return frame

    def _compose(self, picture: SpeechPicture) -> Pixels:
        """Return a picture's pixels, HxWx3 uint8 RGB."""
        pixels = self._decoded(picture.jpeg)
        if self._full_frames is not None:
            full_frame = self._decoded(self._full_frames.get(picture.frame_id))
            pixels = paste(full_frame, pixels, picture.bounds, picture.border)
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)

    def _decoded(self, jpeg: bytes) -> Pixels:
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise InvalidAnswer(self._avatar, "JPEGs that can be decoded", f"{len(jpeg)} bytes that cannot")
        return pixels.astype(np.uint8, copy=False)
