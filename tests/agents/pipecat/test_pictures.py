"""pipecat_lipsync/pictures.py"""

from __future__ import annotations

import asyncio
import io
import urllib.request

import cv2
import numpy as np
import pytest
from PIL import Image
from pipecat.frames.frames import OutputImageRawFrame

from lipsync_client import InvalidAnswer, LipsyncError, SpeechPicture, connect_speech
from lipsync_client.pasting import paste
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_wire import PictureFlags
from pipecat_lipsync.pictures import Pictures
from tests.agents.conftest import AVATAR, Running


def pictures(url: str, *, full_frame: bool) -> Pictures:
    """Return what makes frames of a bridge's pictures."""
    return Pictures(SpeechSettings(endpoint=parse_bridge_url(url), avatar=AVATAR), full_frame=full_frame)


async def a_picture(bridge: Running) -> SpeechPicture:
    """Return a real picture."""
    async with connect_speech(bridge.url, AVATAR, answer_timeout_s=60) as session:
        return await anext(session)


def decoded(jpeg: bytes) -> np.ndarray:
    """Return a JPEG's pixels by another library, HxWx3 RGB."""
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def pixels_of(frame: OutputImageRawFrame) -> np.ndarray:
    """Return a frame's pixels, HxWx3 RGB."""
    assert frame.format == "RGB"
    return np.frombuffer(frame.image, np.uint8).reshape(frame.size[1], frame.size[0], 3)


async def test_the_face_alone(bridge: Running) -> None:
    """Without its full frame, a picture is the bridge's own, in RGB; it waits for the sound before it."""
    picture = await a_picture(bridge)
    frame = await pictures(bridge.url, full_frame=False).frame_of(picture)
    assert frame.sync_with_audio
    assert np.abs(pixels_of(frame).astype(int) - decoded(picture.jpeg)).mean() < 1
    assert frame.metadata["lipsync"] == {
        "epoch": 0,
        "number": picture.number,
        "frame_id": picture.frame_id,
        "sample": None,
    }


async def test_the_whole_frame(bridge: Running) -> None:
    """A picture is pasted into the full frame by the clients' own rule."""
    picture = await a_picture(bridge)
    url = f"{bridge.url}/full_frames/{AVATAR}/{picture.frame_id}.jpg"
    answer = await asyncio.to_thread(urllib.request.urlopen, url)
    with answer:
        full_frame = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
    crop = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    expected = paste(full_frame, crop, picture.bounds, picture.border)[:, :, ::-1]
    frame = await pictures(bridge.url, full_frame=True).frame_of(picture)
    np.testing.assert_array_equal(pixels_of(frame), expected)


async def test_what_cannot_be_had(bridge: Running) -> None:
    """A broken picture, and a full frame that the avatar has not, are errors of the client's kind."""
    broken = SpeechPicture(PictureFlags.SILENT, 0, 0, 10**6, None, (0, 0, 9, 9), 4, b"\xff\xd8\xff\xd9")
    with pytest.raises(InvalidAnswer) as caught:
        await pictures(bridge.url, full_frame=False).frame_of(broken)
    assert str(caught.value) == "model 'demo' must answer JPEGs that can be decoded, got 4 bytes that cannot"
    whole = await a_picture(bridge)
    with pytest.raises(LipsyncError, match="1000000"):
        await pictures(bridge.url, full_frame=True).frame_of(
            SpeechPicture(whole.flags, 0, 0, 10**6, None, whole.bounds, 4, whole.jpeg)
        )
