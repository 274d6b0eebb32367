"""bridge/live/session.py over real sockets: what a session is told and shown"""

import asyncio
import random

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bridge.live.clip import frame_at
from bridge.live.wire import SUBPROTOCOL, Flags
from bridge.server import serve
from speech.streaming import SoundStream
from tests.bridge.helpers import config_for, http, triton_process
from tests.bridge.live.client import as_floats, assert_nothing_left, metric, noise, opened, started
from tests.fake_triton import BOUNDS


def cut(seed, count):
    """Return random sizes of pieces."""
    rng = random.Random(seed)
    return [rng.choice([1, 160, 639, 640, 5_000]) for _ in range(count)]


def check_pictures(live, samples, step=640):
    """Check that a session without a clock received each picture of one sound, in order, with its place in time."""
    speaking = live.speaking
    assert [picture.jpeg for picture in speaking] == live.expected(samples)
    assert [picture.number for picture in speaking] == list(range(len(speaking)))
    assert [picture.frame_id for picture in speaking] == [frame_at(i, 37) for i in range(len(speaking))]
    assert [picture.sample for picture in speaking] == [round(step * i) for i in range(len(speaking))]
    assert {(picture.bounds, picture.border, picture.epoch) for picture in speaking} == {(BOUNDS, 4, 0)}
    assert speaking[0].flags & Flags.FIRST
    assert speaking[-1].flags & Flags.LAST


async def test_started(bridge):
    """The first event has all that a client needs to know."""
    async with opened(bridge) as live:
        assert live.websocket.subprotocol == SUBPROTOCOL
        await live.tell("start", avatar="echo", sample_rate=48_000, format="f32le", low_latency=True)
        event = await live.receive()
        assert event.pop("session") == live.websocket.response.headers["X-Request-ID"]
    assert event == {
        "type": "started",
        "avatar": "echo",
        "epoch": 0,
        "fps": 25,
        "frame_count": 37,
        "width": 320,
        "height": 320,
        "border": 4,
        "sample_rate": 48_000,
        "samples_per_frame": 1920,
        "look_ahead_ms": 212.5,
        "lead_ms": 2000,
        "held_ms": 60_000,
    }
    await assert_nothing_left(bridge)


async def test_without_a_subprotocol(bridge):
    """A client that offers no subprotocol is served, too."""
    async with connect(f"ws://127.0.0.1:{bridge.port}/speech", compression=None) as websocket:
        assert websocket.subprotocol is None
        await websocket.send('{"type": "start", "avatar": "echo"}')
        assert '"started"' in await websocket.recv()


async def test_a_plain_request(bridge):
    """GET /speech without a handshake is told that it needs one."""
    status, headers, body = await http(bridge.port, "/speech")
    assert (status, headers["upgrade"]) == (426, "websocket")
    assert b'"code": "upgrade_required"' in body


@pytest.mark.parametrize("seed", range(4))
async def test_pictures_are_those_of_the_whole_sound(bridge, seed):
    """However the sound is cut, every picture comes, in order, and has heard what the whole file would let it hear."""
    pcm = noise(random.Random(seed).randint(1, 40_000), seed)
    async with started(bridge) as live:
        await live.say(pcm, cut(seed, 40))
        ended = await live.until("ended")
    check_pictures(live, as_floats(pcm))
    assert [event["type"] for event in live.events] == ["started", "speaking", "ended"]
    assert live.events[1] == {"type": "speaking", "epoch": 0, "number": 0, "sample": 0}
    count = -(-len(pcm) // 640)
    assert ended == {"type": "ended", "epoch": 0, "samples": len(pcm), "pictures": count, "skipped": 0}
    await assert_nothing_left(bridge)


@pytest.mark.parametrize(
    ("rate", "format_name"), [(24_000, "s16le"), (48_000, "s16le"), (48_000, "f32le"), (16_000, "f32le")]
)
async def test_other_rates_and_formats(bridge, rate, format_name):
    """Sound of another rate or format gives the pictures of the sound it is resampled to, in the client's samples."""
    pcm = noise(2 * rate)
    sent = as_floats(pcm).astype("<f4") if format_name == "f32le" else pcm
    stream = SoundStream(rate, format_name)
    samples = np.concatenate([stream.feed(sent.tobytes()), stream.flush()])
    async with started(bridge, sample_rate=rate, format=format_name) as live:
        await live.say(sent, cut(1, 60))
        assert (await live.until("ended"))["samples"] == 2 * rate
    check_pictures(live, samples, rate / 25)


async def test_with_a_clock(bridge):
    """In real time all pictures of the speech come, silent ones around them, and no number is left out."""
    pcm = noise(9_000)
    async with started(bridge, pacing="real_time") as live:
        await live.receive()
        await live.say(pcm)
        await live.until("idle")
        await live.receive()
    assert [picture.jpeg for picture in live.speaking] == live.expected(as_floats(pcm))
    numbers = [picture.number for picture in live.pictures]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    silent = [picture for picture in live.pictures if picture.flags == Flags.SILENT]
    assert {picture.sample for picture in silent} == {-1}
    assert [event["type"] for event in live.events] == ["started", "speaking", "ended", "idle"]
    await assert_nothing_left(bridge)
    assert await metric(bridge, 'pictures_total{kind="speech"}') == len(live.speaking)
    assert await metric(bridge, "first_picture_seconds_count") == 1
    assert await metric(bridge, 'closed_total{code="ok"}') == 1


async def test_two_utterances(bridge):
    """What follows `end` is an utterance of its own; its samples go on from those before it."""
    first, second = noise(5_000, 1), noise(7_000, 2)
    async with started(bridge) as live:
        await live.say(first)
        await live.say(second)
        assert (await live.until("ended"))["samples"] == 5_000
        assert [picture.jpeg for picture in live.speaking] == live.expected(as_floats(first))
        live.log.clear()
        assert (await live.until("ended"))["samples"] == 12_000
    assert [picture.jpeg for picture in live.speaking] == live.expected(as_floats(second))
    assert live.speaking[0].sample == 5_000


async def test_end_without_sound(bridge):
    """An utterance in which nothing was said has ended at once."""
    async with started(bridge) as live:
        await live.tell("end")
        await live.websocket.send(b"")
        await live.tell("end")
        for _ in range(2):
            event = await live.until("ended")
            assert (event["samples"], event["pictures"]) == (0, 0)


async def test_ping(bridge):
    """A ping is answered with its id, be it text, a number or nothing."""
    async with started(bridge) as live:
        for name in ("a", 7, None):
            await live.tell("ping", id=name)
            assert await live.until("pong") == {"type": "pong", "id": name}


async def test_interrupt(bridge):
    """After `interrupted` no picture of the old epoch comes, and what is said next is whole."""
    pcm = noise(6_000, 5)
    async with started(bridge, pacing="real_time") as live:
        await live.say(noise(60_000), end=False)
        await live.until("speaking")
        await live.receive()
        await live.tell("interrupt")
        event = await live.until("interrupted")
        live.log.clear()
        await live.say(pcm)
        await live.until("ended")
    assert event["epoch"] == 1
    assert {picture.epoch for picture in live.pictures} == {1}
    assert [picture.jpeg for picture in live.speaking] == live.expected(as_floats(pcm))
    assert live.speaking[0].sample == 60_000
    await assert_nothing_left(bridge)
    assert await metric(bridge, "interrupts_total") == 1


async def test_sessions_do_not_mix(bridge):
    """Eight sessions that speak at once get exactly what each would get alone."""

    async def speak(seed):
        pcm = noise(9_000 + 700 * seed, seed)
        async with started(bridge) as live:
            await live.say(pcm, [160] * 80)
            await live.until("ended")
        check_pictures(live, as_floats(pcm))

    await asyncio.gather(*map(speak, range(8)))
    await assert_nothing_left(bridge)


@pytest.mark.parametrize("pacing", ["none", "real_time"])
async def test_a_triton_dies_in_mid_sentence(triton, pacing):
    """When one of two Tritons is killed, no picture is missing, and none is wrong."""
    pcm = noise(32_000)
    triton.frame_count = 150  # as the other one's
    async with (
        triton_process() as (address, process),
        serve(config_for(triton, address, speech_admission="off")) as bridge,
    ):
        async with started(bridge, pacing=pacing) as live:
            await live.say(pcm[:16_000], end=False)
            while len(live.speaking) < 5:
                await live.receive()
            process.kill()
            await live.say(pcm[16_000:])
            ended = await live.until("ended")
        assert (ended["pictures"], ended["skipped"]) == (50, 0)
        assert [picture.jpeg for picture in live.speaking] == live.expected(as_floats(pcm))
        assert [event for event in live.events if event["type"] == "error"] == []
        await assert_nothing_left(bridge)


async def test_lost_pictures(bridge):
    """With a clock pictures that Triton refuses are left out, counted, and told of once; the session goes on."""
    async with started(bridge, "losing", pacing="real_time") as live:
        await live.say(noise(9_000))
        ended = await live.until("ended")
        await live.tell("ping")
        await live.until("pong")
    assert (ended["pictures"], ended["skipped"]) == (0, 15)
    (error,) = [event for event in live.events if event["type"] == "error"]
    assert (error["code"], error["fatal"]) == ("overloaded", False)
    assert error["error"] == (
        "expected room in Triton's queue for model 'losing_live', got none; try again later"
    )


async def test_unloaded_in_mid_speech(triton, bridge):
    """An avatar that is unloaded ends its sessions with one event."""
    async with started(bridge) as live:
        await live.say(noise(16_000), end=False)
        await live.until("speaking")
        triton.unload_model("echo")
        await live.say(noise(16_000))
        error = await live.until("error")
        with pytest.raises(ConnectionClosed) as caught:
            await live.receive()
    assert (error["code"], error["fatal"]) == ("unknown_model", True)
    assert error["error"].startswith("expected the name of a loaded model, got 'echo_")
    assert caught.value.rcvd.code == 1008
    await assert_nothing_left(bridge)
