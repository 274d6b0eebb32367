"""livekit/plugins/lipsync/faces.py"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import cv2
import numpy as np
import pytest
from livekit import rtc
from livekit.plugins.lipsync.faces import Faces

from lipsync_client import PictureFlags, SpeechPicture, SpeechTimeout
from lipsync_client.pasting import paste
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from tests.clients.fake_speech_bridge import BORDER, BOUNDS, FakeSpeechBridge, full_frame, grey_jpeg


def picture(frame_id: int = 1, grey: int = 200, *, silent: bool = False) -> SpeechPicture:
    """Return a picture of one grey."""
    flags, sample = (PictureFlags.SILENT, None) if silent else (PictureFlags.SPEECH, 0)
    return SpeechPicture(flags, 0, 0, frame_id, sample, BOUNDS, BORDER, grey_jpeg(grey))


@asynccontextmanager
async def faces(url: str, height: int | None = None) -> AsyncIterator[Faces]:
    """Lend faces of a bridge."""
    made = Faces(SpeechSettings(endpoint=parse_bridge_url(url), avatar="echo"), height)
    try:
        yield made
    finally:
        made.close()


async def test_a_picture_lies_in_its_full_frame() -> None:
    """The frame is what pasting gives, of an even size: the last column of an odd one is left out."""
    async with FakeSpeechBridge() as bridge, faces(bridge.url) as made:
        assert await made.size() == (90, 70)
        frame = await made.frame(picture(), 10)
        assert frame is not None
        assert (frame.width, frame.height, frame.type) == (90, 70, rtc.VideoBufferType.I420)
    planes = np.frombuffer(frame.data, np.uint8).reshape(105, 90)
    bgr = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420).astype(int)
    wanted = paste(full_frame(1), np.full((32, 32, 3), 200, np.uint8), BOUNDS, BORDER)[:70, :90].astype(int)
    assert np.abs(bgr - wanted).mean() < 3
    assert bgr[30, 40].tolist() == pytest.approx([200, 200, 200], abs=4)


async def test_frames_are_scaled() -> None:
    """The width goes with the height that is asked for, and is even."""
    async with FakeSpeechBridge() as bridge, faces(bridge.url, 36) as made:
        assert await made.size() == (46, 36)
        frame = await made.frame(picture(), 10)
        assert frame is not None
        assert (frame.width, frame.height) == (46, 36)


async def test_silent_pictures_are_remembered() -> None:
    """The same one is made once; another of the same frame is made anew, and one of speech each time."""
    async with FakeSpeechBridge() as bridge, faces(bridge.url) as made:
        first, again = [await made.frame(picture(silent=True), 10) for _ in range(2)]
        assert first is again
        assert await made.frame(picture(silent=True, grey=90), 10) is not first
        spoken = [await made.frame(picture(), 10) for _ in range(2)]
        assert spoken[0] is not spoken[1]


async def test_what_cannot_be_had_is_none(caplog: pytest.LogCaptureFixture) -> None:
    """A full frame that the bridge does not have costs one picture and one sentence in the log."""
    async with FakeSpeechBridge() as bridge, faces(bridge.url) as made:
        assert [await made.frame(picture(99), 10) for _ in range(2)] == [None, None]
        assert await made.frame(picture(), 10) is not None
    assert [record.getMessage() for record in caplog.records] == [
        f"a picture cannot be shown: expected an answer about 'echo' from {bridge.url}, "
        "got 404: no /full_frames/echo/99.jpg"
    ]


async def test_a_bridge_that_hangs_holds_nothing_up() -> None:
    """Frames are given up in time, and no more are asked for than there are threads."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # whose connections nobody accepts
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        settings = SpeechSettings(endpoint=parse_bridge_url(url), avatar="echo", answer_timeout_s=0.5)
        made = Faces(settings)
        try:
            assert [await made.frame(picture(), 0.02) for _ in range(4)] == [None] * 4
            assert len(made._pending) <= 2
            with pytest.raises(SpeechTimeout):
                await made.size()
        finally:
            made.close()
