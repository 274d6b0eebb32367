"""lipsync_client/full_frames.py"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import cv2
import numpy as np
import pytest

from lipsync_client import InvalidAnswer, ServerError, ServerUnavailable, SpeechTimeout
from lipsync_client.full_frames import FullFrames
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from tests.clients.certificates import Certificate
from tests.clients.fake_speech_bridge import FakeSpeechBridge, full_frame
from tests.clients.test_speech import silent_server


def settings(url: str, **changes: Any) -> SpeechSettings:
    """Return the settings of a session."""
    return SpeechSettings(endpoint=parse_bridge_url(url), avatar="echo", **changes)


async def test_frames_are_remembered(bridge: FakeSpeechBridge) -> None:
    """A frame is asked for once, as long as there is room for it; what was not asked for longest goes first."""
    first = await asyncio.to_thread(FullFrames(settings(bridge.url)).get, 2)
    frames = FullFrames(settings(bridge.url), most_bytes=3 * len(first))
    bridge.full_frames.clear()
    for frame_id in (0, 1, 0, 2, 0, 3, 4, 0, 1):
        jpeg = await asyncio.to_thread(frames.get, frame_id)
        pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(pixels.astype(int) - full_frame(frame_id)).max() <= 3
    assert bridge.full_frames == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1}


async def test_a_token(bridge: FakeSpeechBridge) -> None:
    """A token is shown with each request, and is in no text about the settings."""
    shown = settings(bridge.url, token="s" * 32)
    assert "sss" not in repr(shown)
    await asyncio.to_thread(FullFrames(shown).get, 0)
    assert bridge.shown == [f"Bearer {'s' * 32}"]


async def test_no_such_frame(bridge: FakeSpeechBridge) -> None:
    """A frame that there is not is an error with the bridge's words."""
    with pytest.raises(ServerError) as caught:
        await asyncio.to_thread(FullFrames(settings(bridge.url)).get, 99)
    assert str(caught.value) == (
        f"expected an answer about 'echo' from {bridge.url}, got 404: no /full_frames/echo/99.jpg"
    )


async def test_no_bridge(free_port: int) -> None:
    """Where nobody listens the error says so."""
    with pytest.raises(ServerUnavailable, match=f"expected a bridge at http://127.0.0.1:{free_port}, got no"):
        await asyncio.to_thread(FullFrames(settings(f"127.0.0.1:{free_port}")).get, 0)


async def test_a_bridge_that_hangs() -> None:
    """A bridge that does not answer is given up after the deadline."""
    async with silent_server() as url:
        with pytest.raises(SpeechTimeout) as caught:
            await asyncio.to_thread(FullFrames(settings(url, answer_timeout_s=0.1)).get, 7)
    assert str(caught.value) == f"expected full frame 7 from {url} within 0.1 s, got none"


async def test_something_else() -> None:
    """An answer that is no JPEG is refused."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nGIF89a")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        frames = FullFrames(settings(f"127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        with pytest.raises(InvalidAnswer, match="must answer a JPEG as full frame 0, got b'GIF89a'"):
            await asyncio.to_thread(frames.get, 0)


async def test_tls(certificate: Certificate) -> None:
    """With ``https`` the connection is encrypted, and the certificate checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key_path)
    async with FakeSpeechBridge(tls=context) as bridge:
        with pytest.raises(ServerUnavailable, match="certificate"):
            await asyncio.to_thread(FullFrames(settings(bridge.url)).get, 0)
        trusting = FullFrames(settings(bridge.url, root_certificates=certificate.path))
        assert (await asyncio.to_thread(trusting.get, 0)).startswith(b"\xff\xd8")
