"""bridge/live/session.py over real sockets: what is wrong is told in one event, and leaves nothing behind"""

import asyncio
import json

import pytest
from websockets.exceptions import ConnectionClosed

from bridge.live import session
from bridge.server import serve
from tests.bridge.helpers import WAIT_S, config_for
from tests.bridge.live.client import (
    assert_nothing_left,
    metric,
    noise,
    opened,
    started,
    until,
)

START = json.dumps({"type": "start", "avatar": "echo", "pacing": "none"})
BEFORE_START = {
    "sound": (b"\0\0", "first message: expected start, got 2 bytes of sound"),
    "end": ('{"type": "end"}', "first message: expected start, got end"),
    "not JSON": ("{", "message: expected a JSON object with a type, got text that is not JSON"),
    "nested": ("[" * 4_000, "message: expected a JSON object with a type, got text that is not JSON"),
    "a list": ("[]", "message: expected a JSON object with a type, got a list"),
    "no type": ("{}", "type: expected one of start, end, interrupt, ping, got None"),
    "no avatar": ('{"type": "start"}', "avatar: expected the name of an avatar, got nothing"),
    "rate": (
        '{"type": "start", "avatar": "echo", "sample_rate": 7999}',
        "sample_rate: expected an integer from 8000 to 48000 samples a second, got 7999",
    ),
    "format": (
        '{"type": "start", "avatar": "echo", "format": "mp3"}',
        "format: expected one of s16le, f32le, got 'mp3'",
    ),
}
AFTER_START = {
    "odd": (b"\0\0\0", "sound: expected whole samples of 2 bytes, got 3 bytes"),
    "start": (START, "message: expected sound, end, interrupt or ping after start, got another start"),
    "unknown": ('{"type": "sing"}', "type: expected one of start, end, interrupt, ping, got 'sing'"),
    "not JSON": ("nonsense", "message: expected a JSON object with a type, got text that is not JSON"),
    "id": ('{"type": "ping", "id": []}', "id: expected a string or a number, got []"),
}


async def end_of(live):
    """Return the one fatal event that ends a session, and the code its connection is closed with."""
    with pytest.raises(ConnectionClosed) as caught:
        await live.until("the end of the connection")
    (error,) = [event for event in live.events if event["type"] == "error"]
    assert error["fatal"] is True
    assert error["session"] == live.websocket.response.headers["X-Request-ID"]
    assert live.log[-1] is error
    return error["code"], error["error"], caught.value.rcvd.code


@pytest.mark.parametrize("name", BEFORE_START)
async def test_a_wrong_first_message(bridge, name):
    """Whatever comes in place of a proper start ends the session."""
    message, sentence = BEFORE_START[name]
    async with opened(bridge) as live:
        await live.websocket.send(message)
        assert await end_of(live) == ("bad_request", sentence, 1008)
    await assert_nothing_left(bridge)


@pytest.mark.parametrize("name", AFTER_START)
async def test_a_wrong_message(bridge, name):
    """So does a wrong message in a session that has begun."""
    message, sentence = AFTER_START[name]
    async with started(bridge) as live:
        await live.websocket.send(message)
        assert await end_of(live) == ("bad_request", sentence, 1008)
    await assert_nothing_left(bridge)
    assert await metric(bridge, 'closed_total{code="bad_request"}') == 1


async def test_a_long_text(bridge):
    """A text message that is longer than any can be is not looked at."""
    async with started(bridge) as live:
        await live.websocket.send(" " * 4_097)
        sentence = "message: expected at most 4096 bytes, got 4097"
        assert await end_of(live) == ("message_too_large", sentence, 1009)
    await assert_nothing_left(bridge)


@pytest.mark.parametrize(
    ("message", "code", "outcome"),
    [(bytes((1 << 20) + 2), 1009, "message_too_large"), (b"\xff", 1007, "bad_request")],
    ids=["long", "not UTF-8"],
)
async def test_a_breach_of_websocket(bridge, message, code, outcome):
    """What WebSocket itself forbids closes the connection without an event, and is counted."""
    async with started(bridge) as live:
        await live.websocket.send(message, text=code == 1007)
        with pytest.raises(ConnectionClosed) as caught:
            await live.receive()
    assert caught.value.rcvd.code == code
    await assert_nothing_left(bridge)
    assert await metric(bridge, f'closed_total{{code="{outcome}"}}') == 1


async def test_no_start(bridge, monkeypatch):
    """A client that does not start in time is told so."""
    monkeypatch.setattr(session, "START_TIMEOUT_S", 0.05)
    async with opened(bridge) as live:
        sentence = "expected a message within 0.05 s, got none"
        assert await end_of(live) == ("idle_timeout", sentence, 1008)
    await assert_nothing_left(bridge)


async def test_idle(triton):
    """A client that says nothing for too long is told so, whatever it is shown meanwhile."""
    settings = {"speech_idle_timeout_s": 0.2}
    async with serve(config_for(triton, **settings)) as bridge:
        async with started(bridge, pacing="real_time") as live:
            sentence = "expected a message within 0.2 s, got none"
            assert await end_of(live) == ("idle_timeout", sentence, 1008)
        await assert_nothing_left(bridge)


async def test_unknown_avatar(bridge):
    """An avatar that Triton has not is named."""
    async with opened(bridge) as live:
        await live.tell("start", avatar="nobody")
        sentence = "expected the name of a loaded model, got 'nobody'"
        assert await end_of(live) == ("unknown_model", sentence, 1008)
    await assert_nothing_left(bridge)


async def test_an_avatar_that_cannot_hear(bridge):
    """One that was imported without an audio encoder says so."""
    async with opened(bridge) as live:
        await live.tell("start", avatar="deaf")
        sentence = "expected an avatar that can be spoken to, got 'deaf', imported without an audio encoder"
        assert await end_of(live) == ("cannot_hear", sentence, 1008)
    await assert_nothing_left(bridge)


@pytest.mark.parametrize(
    ("avatar", "code", "close_code"), [("broken", "internal", 1011), ("full", "overloaded", 1013)]
)
async def test_a_triton_that_fails_at_the_start(bridge, avatar, code, close_code):
    """A Triton that cannot hear or paint, or has no room, ends the session; the log alone has the details."""
    async with opened(bridge) as live:
        await live.tell("start", avatar=avatar)
        ended = await end_of(live)
    assert (ended[0], ended[2]) == (code, close_code)
    assert "secret" not in ended[1]
    await assert_nothing_left(bridge)


async def test_a_flood_of_sound(triton):
    """With a clock no more sound may wait than the setting says."""
    async with serve(config_for(triton, speech_held_s=1)) as bridge:
        async with started(bridge, pacing="real_time", avatar="stuck") as live:
            await live.say(noise(16_000), end=False)
            await live.say(noise(1_600), end=False)
            sentence = "expected at most 1 s of sound that is not shown yet, got 1.1 s"
            assert await end_of(live) == ("too_much_sound", sentence, 1008)
        await assert_nothing_left(bridge)


async def test_sessions_of_one_client(triton):
    """No more sessions are taken than may be, of one address or in all; the next one finds room again."""
    async with serve(config_for(triton, speech_sessions_per_client=1)) as bridge:
        async with started(bridge), opened(bridge) as live:
            await live.tell("start", avatar="echo")
            sentence = "expected room for one more live session, got 1 of one client already; try again later"
            assert await end_of(live) == ("overloaded", sentence, 1013)
        await assert_nothing_left(bridge)
        assert await metric(bridge, "refused_total") == 1
        async with started(bridge):
            assert await metric(bridge, "sessions") == 1


async def test_stopped_in_mid_speech(triton):
    """When the bridge is stopped, its sessions are told, and their connections closed with 1001, at once."""
    context = serve(config_for(triton, shutdown_timeout_s=WAIT_S))
    bridge = await context.__aenter__()
    async with started(bridge, "stuck", pacing="real_time") as live:
        await live.say(noise(32_000), end=False)
        await triton.wait_for_calls("stuck_speech", 2)
        stopping = asyncio.create_task(context.__aexit__(None, None, None))
        sentence = "expected to go on, got a bridge that is being stopped; connect again"
        assert await end_of(live) == ("shutting_down", sentence, 1001)
        await stopping
    await until(lambda: not bridge._sessions)
    assert bridge._hub._shares == []
    await triton.wait_for_cancelled("stuck_speech", 1)


@pytest.mark.parametrize("pacing", ["none", "real_time"])
async def test_a_client_that_vanishes(triton, bridge, pacing):
    """What a client that is gone had asked of Triton is cancelled, and its seat is free."""
    async with started(bridge, "stuck", pacing=pacing) as live:
        await live.say(noise(32_000), end=False)
        await triton.wait_for_calls("stuck_speech", 2)
        live.websocket.transport.abort()
        await triton.wait_for_cancelled("stuck_speech", 1)
    await assert_nothing_left(bridge)


@pytest.mark.parametrize("pacing", ["none", "real_time"])
async def test_a_client_that_never_reads(triton, pacing):
    """A client that leaves its pictures unread is disconnected, and counted."""
    settings = {"send_timeout_s": 0.2, "speech_lead_s": 60, "speech_admission": "off"}
    async with serve(config_for(triton, **settings)) as bridge:
        async with started(bridge, pacing=pacing) as live:
            big = b"\xff\xd8".ljust(1 << 18, b"\0")
            live.websocket.transport.pause_reading()
            triton.live_jpeg = lambda name, frame_id, window: big
            await live.say(noise(400_000), end=False)
            await until(lambda: not bridge._sessions)
            assert await metric(bridge, 'closed_total{code="slow_client"}') == 1
        await assert_nothing_left(bridge)
