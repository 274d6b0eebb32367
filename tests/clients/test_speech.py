"""Sessions of live speech against a fake bridge, with asyncio and in threads."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import serve

from lipsync_client import (
    ClientClosed,
    Ended,
    Interrupted,
    InvalidAnswer,
    LipsyncError,
    Overloaded,
    ServerError,
    ServerUnavailable,
    Speaking,
    SpeechLost,
    SpeechPicture,
    SpeechRefused,
    SpeechTimeout,
    UnknownModel,
    connect_speech,
)
from tests.clients.certificates import Certificate
from tests.clients.fake_speech_bridge import BORDER, BOUNDS, FRAME_COUNT, FakeSpeechBridge, grey_jpeg
from tests.clients.speech_kinds import KINDS, Session, opened_speech

pytestmark = pytest.mark.parametrize("kind", KINDS)


def saw(seconds: float, rate: int = 16_000, dtype: str = "<i2") -> bytes:
    """Return sound that grows louder from picture to picture."""
    levels = np.arange(round(seconds * rate)) // (rate // 25) % 20 / 20
    return (levels * (32767 if dtype == "<i2" else 1)).astype(dtype).tobytes()


async def test_an_utterance(bridge: FakeSpeechBridge, kind: str) -> None:
    """Every picture of an utterance comes, in order, with its sample, its place and its pixels."""
    async with opened_speech(kind, bridge.url) as session:
        pictures = await session.say(saw(1.01))
        started = session.session.started
    assert (started.avatar, started.frame_count, started.samples_per_frame) == ("echo", FRAME_COUNT, 640)
    assert [picture.sample for picture in pictures] == [640 * i for i in range(26)]
    assert [picture.number for picture in pictures] == list(range(26))
    assert [picture.frame_id for picture in pictures][:10] == [0, 1, 2, 3, 4, 3, 2, 1, 0, 1]
    assert [picture.is_first for picture in pictures] == [True] + [False] * 25
    assert [picture.is_last for picture in pictures] == [False] * 25 + [True]
    assert {(picture.bounds, picture.border, picture.is_speech) for picture in pictures} == {
        (BOUNDS, BORDER, True)
    }
    assert pictures[10].jpeg == grey_jpeg(int(16383 / 32768 * 255))


async def test_what_the_bridge_is_told(bridge: FakeSpeechBridge, kind: str) -> None:
    """The settings arrive; sound arrives in small pieces and whole; each control message does."""
    pcm = saw(1, 24_000, "<f4")
    async with opened_speech(
        kind, bridge.url, sample_rate=24_000, format="f32le", low_latency=True
    ) as session:
        pictures = await session.say(pcm)
        await session.call("ping")
        await session.call("interrupt")
        await session.until(Interrupted)
    assert bridge.starts == [
        {
            "type": "start",
            "avatar": "echo",
            "sample_rate": 24_000,
            "format": "f32le",
            "pacing": "none",
            "low_latency": True,
        }
    ]
    sound = [message for message in bridge.heard if isinstance(message, bytes)]
    assert (b"".join(sound), {len(piece) for piece in sound}) == (pcm, {24_000})
    assert [message for message in bridge.heard if isinstance(message, str)] == ["end", "ping", "interrupt"]
    assert [picture.sample for picture in pictures] == [960 * i for i in range(25)]


async def test_events_come_between_pictures(bridge: FakeSpeechBridge, kind: str) -> None:
    """Events are yielded in their place; the samples of a second utterance go on from the first."""
    async with opened_speech(kind, bridge.url) as session:
        await session.say(saw(0.1))
        await session.call("send", saw(0.04))
        await session.call("end")
        messages = await session.until(Ended)
    assert [type(message) for message in messages] == [Speaking, SpeechPicture, Ended]
    assert messages[0] == Speaking(0, 3, 1600)
    assert messages[2] == Ended(0, 2240, 1, 0)


async def test_until_ended(bridge: FakeSpeechBridge, kind: str) -> None:
    """Iteration stops when all that was ended is shown."""
    async with opened_speech(kind, bridge.url) as session:
        for _ in range(2):
            await session.call("send", saw(0.1))
            await session.call("end")
        pictures = await session.listed(session.session.until_ended())
    assert [picture.sample for picture in pictures] == [0, 640, 1280, 1600, 2240, 2880]


async def test_iteration_ends_with_the_session(bridge: FakeSpeechBridge, kind: str) -> None:
    """``for picture in session`` yields pictures, and ends when another task closes the session."""
    async with opened_speech(kind, bridge.url) as session:
        await session.call("send", saw(0.1))
        await session.call("end")
        reading = asyncio.create_task(session.listed(session.session))
        await bridge.has_heard.wait()
        while len(bridge.heard) < 2:
            bridge.has_heard.clear()
            await bridge.has_heard.wait()
        await session.call("close")
        pictures = await asyncio.wait_for(reading, 10)
        assert {type(picture) for picture in pictures} <= {SpeechPicture}
        for method, *args in (("send", saw(0.1)), ("end",), ("interrupt",), ("ping",), ("receive",)):
            with pytest.raises(ClientClosed):
                await session.call(method, *args)
        assert await session.listed(session.session) == []


async def test_the_bridge_is_never_given_too_much(kind: str) -> None:
    """A long sound is sent only as fast as its pictures come: what waits is at most half of what may."""
    async with FakeSpeechBridge(held_ms=2000) as bridge, opened_speech(kind, bridge.url) as session:
        pictures = await session.say(saw(20))
    assert len(pictures) == 500
    assert 0.5 < bridge.most_held_s <= 1.0


async def test_nobody_reads(kind: str) -> None:
    """Who sends without reading is told so after the deadline, and not left waiting."""
    async with (
        FakeSpeechBridge(held_ms=1000) as bridge,
        opened_speech(kind, bridge.url, answer_timeout_s=0.2) as session,
    ):
        with pytest.raises(SpeechTimeout) as caught:
            await session.call("send", saw(2))
    assert str(caught.value) == (
        f"expected room for more sound (are the pictures read meanwhile?) from {bridge.url} within 0.2 s, got none"
    )


async def test_interruption(bridge: FakeSpeechBridge, kind: str) -> None:
    """After an interruption nothing of the old epoch is seen: its acknowledgement is the next message."""
    async with opened_speech(kind, bridge.url) as session:
        await session.call("send", saw(2))
        first = [await session.receive() for _ in range(3)]
        await session.call("interrupt")
        assert session.session.epoch == 1
        assert session.session.sent_samples == 32000
        following = [await session.receive() for _ in range(2)]
        pictures = await session.say(saw(0.1))
    assert [message.epoch for message in first] == [0, 0, 0]
    assert isinstance(following[0], Interrupted)
    assert following[0].epoch == 1
    assert isinstance(following[1], SpeechPicture)
    assert (following[1].epoch, following[1].is_silent, following[1].sample) == (1, True, None)
    assert [(picture.epoch, picture.sample) for picture in pictures] == [(1, 32000), (1, 32640), (1, 33280)]


async def test_what_was_not_sent_does_not_count(kind: str) -> None:
    """An interruption of a ``send`` that waits for room leaves its rest unsent: the next sound counts from there."""
    async with FakeSpeechBridge(held_ms=1000) as bridge, opened_speech(kind, bridge.url) as session:
        sending = asyncio.create_task(session.call("send", saw(20)))
        while not isinstance(await session.receive(), SpeechPicture):
            pass
        await session.call("interrupt")
        await sending
        sent = session.session.sent_samples
        pictures = [picture for picture in await session.say(saw(0.1)) if picture.is_speech]
    assert 0 < sent < 20 * 16_000
    assert pictures[0].sample == sent


async def test_interruption_ends_until_ended(bridge: FakeSpeechBridge, kind: str) -> None:
    """Who waits for the end of what was interrupted waits no more."""
    async with opened_speech(kind, bridge.url) as session:
        await session.call("send", saw(1))
        await session.call("end")
        await session.call("interrupt")
        assert await session.listed(session.session.until_ended()) == []


async def test_interruption_frees_a_sender(kind: str) -> None:
    """What waits for room when it is interrupted is forgotten, and its sender goes on at once."""
    async with FakeSpeechBridge(held_ms=1000) as bridge, opened_speech(kind, bridge.url, "quiet") as session:
        sender = asyncio.create_task(session.call("send", saw(10)))
        while sum(map(len, bridge.heard)) < 16_000:  # half a second: all that may wait
            bridge.has_heard.clear()
            await bridge.has_heard.wait()
        await session.call("interrupt")
        await asyncio.wait_for(sender, 10)
        await session.call("end")
        while bridge.heard[-1] != "end":
            bridge.has_heard.clear()
            await bridge.has_heard.wait()
    assert [type(message) for message in bridge.heard] == [bytes, bytes, str, str]


@pytest.mark.parametrize(
    ("avatar", "error", "sentence"),
    [
        ("overloaded", Overloaded, "expected room for a session at {url}, got a refusal: expected room for"),
        (
            "unknown",
            UnknownModel,
            "expected an avatar that is loaded at {url}, got 'unknown': expected the name",
        ),
        (
            "deaf",
            SpeechRefused,
            "expected a session of live speech at {url}, got cannot_hear: expected an avatar",
        ),
        (
            "away",
            ServerUnavailable,
            "expected a Triton behind the bridge at {url}, got no answer: expected a Tr",
        ),
    ],
)
async def test_refusals(
    bridge: FakeSpeechBridge, kind: str, avatar: str, error: type[LipsyncError], sentence: str
) -> None:
    """Each refusal has its own class, and the bridge's words."""
    with pytest.raises(error) as caught:
        async with opened_speech(kind, bridge.url, avatar):
            pass
    assert str(caught.value).startswith(sentence.format(url=bridge.url))
    await asyncio.wait_for(bridge.closed.wait(), 10)


async def test_no_start(bridge: FakeSpeechBridge, kind: str) -> None:
    """A bridge that does not begin is given up after the deadline."""
    with pytest.raises(SpeechTimeout) as caught:
        async with opened_speech(kind, bridge.url, "mute", start_timeout_s=0.1):
            pass
    assert str(caught.value) == f"expected the start of a session from {bridge.url} within 0.1 s, got none"
    await asyncio.wait_for(bridge.closed.wait(), 10)


async def test_a_token(bridge: FakeSpeechBridge, kind: str) -> None:
    """A token is shown in the handshake, and none where there is none."""
    async with opened_speech(kind, bridge.url, token="s" * 32):
        pass
    async with opened_speech(kind, bridge.url):
        pass
    assert bridge.shown == [f"Bearer {'s' * 32}", None]


async def test_no_bridge(kind: str, free_port: int) -> None:
    """Where nobody listens the error says so."""
    url = f"http://127.0.0.1:{free_port}"
    with pytest.raises(ServerUnavailable) as caught:
        async with opened_speech(kind, url):
            pass
    assert str(caught.value).startswith(f"expected a bridge at {url}, got no answer: ")


async def test_another_server(kind: str) -> None:
    """A server that refuses a WebSocket is told from one that is away."""

    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(HTTPStatus.NOT_FOUND, "nothing here")

    async with serve(
        lambda websocket: websocket.wait_closed(), "127.0.0.1", 0, process_request=refuse
    ) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        with pytest.raises(ServerError) as caught:
            async with opened_speech(kind, url):
                pass
    assert str(caught.value) == f"expected an answer about 'echo' from {url}, got 404: Not Found"


async def test_no_answer_to_the_handshake(kind: str) -> None:
    """A server that accepts connections and says nothing is given up after the deadline."""
    async with silent_server() as url:
        with pytest.raises(SpeechTimeout) as caught:
            async with opened_speech(kind, url, connect_timeout_s=0.1):
                pass
    assert str(caught.value) == f"expected a connection from {url} within 0.1 s, got none"


async def test_another_protocol(kind: str) -> None:
    """A server whose WebSocket speaks something else is refused."""
    async with FakeSpeechBridge(subprotocol=None) as bridge:
        with pytest.raises(InvalidAnswer) as caught:
            async with opened_speech(kind, bridge.url):
                pass
    assert str(caught.value) == "model 'echo' must answer in subprotocol lipsync.speech.v1, got None"


@pytest.mark.parametrize("method", ["receive", "send"])
async def test_a_session_that_is_ended(bridge: FakeSpeechBridge, kind: str, method: str) -> None:
    """The reason why the bridge ended a session reaches who reads and who only sends."""
    async with opened_speech(kind, bridge.url, "ends") as session:
        with pytest.raises(SpeechRefused) as caught:
            await go_on(session, method)
        with pytest.raises(SpeechRefused):
            await session.call("end")
    expected = "got internal: expected an answer of Triton, got an internal error"
    assert str(caught.value) == f"expected a session of live speech at {bridge.url}, {expected}"


@pytest.mark.parametrize("method", ["receive", "send"])
async def test_a_connection_that_breaks(bridge: FakeSpeechBridge, kind: str, method: str) -> None:
    """A connection that is dropped is an error for who reads and for who only sends."""
    async with opened_speech(kind, bridge.url, "dies") as session:
        with pytest.raises(SpeechLost) as caught:
            await go_on(session, method)
    assert str(caught.value).startswith(
        f"expected the session at {bridge.url} to go on, got a broken connection: "
    )


async def test_nonsense(bridge: FakeSpeechBridge, kind: str) -> None:
    """A message that is none is an error with what came."""
    async with opened_speech(kind, bridge.url, "babbles") as session:
        await session.call("send", saw(0.1))
        with pytest.raises(InvalidAnswer, match="pictures with a header of 48 bytes, got 47 bytes"):
            await session.receive()


async def test_a_newer_bridge(bridge: FakeSpeechBridge, kind: str) -> None:
    """Messages of kinds that are to come are passed over."""
    async with opened_speech(kind, bridge.url, "futuristic") as session:
        assert len(await session.say(saw(1))) == 25


@pytest.mark.parametrize("pacing", ["real_time", "none"])
async def test_a_bridge_that_hangs(bridge: FakeSpeechBridge, kind: str, pacing: str) -> None:
    """A bridge that owes a message and sends none is given up after the deadline."""
    async with opened_speech(kind, bridge.url, "quiet", pacing=pacing, answer_timeout_s=0.2) as session:
        if pacing == "none":
            await session.call("end")
        with pytest.raises(SpeechTimeout) as caught:
            await session.receive()
    sentence = f"expected the next picture or event from {bridge.url} within 0.2 s, got none"
    assert str(caught.value) == sentence


async def test_leaving_early(bridge: FakeSpeechBridge, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves with most pictures unread is gone at once, and not after a deadline; for the bridge, too."""
    monkeypatch.setattr("lipsync_client.speech_sockets.CLOSE_TIMEOUT_S", 60)

    async def leave() -> None:
        async with opened_speech(kind, bridge.url) as session:
            await session.call("send", saw(10))
            await session.receive()

    await asyncio.wait_for(leave(), 20)
    await asyncio.wait_for(bridge.closed.wait(), 10)


async def test_an_error_of_the_caller(bridge: FakeSpeechBridge, kind: str) -> None:
    """An exception in the block passes, and the connection is closed."""
    with pytest.raises(ZeroDivisionError):
        async with opened_speech(kind, bridge.url):
            raise ZeroDivisionError
    await asyncio.wait_for(bridge.closed.wait(), 10)


async def test_tls(kind: str, certificate: Certificate) -> None:
    """With ``https`` the connection is encrypted, and the certificate checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.path, certificate.key_path)
    async with FakeSpeechBridge(tls=context) as bridge:
        with pytest.raises(ServerUnavailable, match="certificate"):
            async with opened_speech(kind, bridge.url):
                pass
        async with opened_speech(kind, bridge.url, root_certificates=certificate.path) as session:
            assert len(await session.say(saw(0.1))) == 3


async def test_cancelling(bridge: FakeSpeechBridge, kind: str) -> None:
    """Cancelling a task that waits for a picture closes its connection."""
    if kind == "sync":
        pytest.skip("threads cannot be cancelled")
    is_open = asyncio.Event()

    async def wait() -> None:
        async with connect_speech(bridge.url, "echo") as session:
            is_open.set()
            await session.receive()

    task = asyncio.create_task(wait())
    await is_open.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(bridge.closed.wait(), 10)


async def go_on(session: Session, method: str) -> None:
    """Send sound, and then only read, or only send, until that fails."""
    await session.call("send", saw(0.1))
    while True:
        await session.call(method, *([saw(0.1)] if method == "send" else []))


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Run a server that accepts connections, and answers nothing."""
    done = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        done.set()
        server.close()
        await server.wait_closed()
