"""bridge/live/session.py and what is behind it, against clients that want to exhaust it or see what is not theirs"""

import asyncio
import json
import random

import numpy as np
import pytest

from bridge.live.engine import Engine
from bridge.live.painter import MOST_SAID, Painter
from bridge.live.requests import EngineOptions
from bridge.live.wire import HEADER
from bridge.server import serve
from tests.bridge.helpers import config_for
from tests.bridge.live.client import (
    TRIAL_PICTURES,
    as_floats,
    assert_nothing_left,
    metric,
    noise,
    opened,
    started,
    until,
)
from tests.bridge.live.simulation import BOUNDS, Picture

KINDS = {
    "ping": ['{"type": "ping", "id": "%s"}' % ("x" * 4_000)],
    "end": ['{"type": "end"}'],
    "interrupt": ['{"type": "interrupt"}'],
    "a sample and end": [b"\1\0", '{"type": "end"}'],
    "a sample and interrupt": [b"\1\0", '{"type": "interrupt"}'],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pacing", ["none", "real_time"])
async def test_a_flood_that_is_not_read(triton, pacing, kind):
    """What a client brings up without reading is bounded: it is no longer read itself, and others are served."""
    messages = KINDS[kind]
    settings = {"send_timeout_s": 60, "probe_timeout_s": 60, "speech_admission": "off"}
    async with serve(config_for(triton, **settings)) as bridge:
        async with started(bridge, pacing=pacing) as live:
            live.websocket.transport.pause_reading()
            (session,) = bridge._sessions

            async def flood():
                for number in range(20_000):
                    await live.websocket.send(messages[number % len(messages)])

            flooding = asyncio.create_task(flood())
            async with started(bridge) as neighbour:
                await neighbour.say(noise(9_000))
                await neighbour.until("ended")
            assert [p.jpeg for p in neighbour.speaking] == neighbour.expected(as_floats(noise(9_000)))
            painter, engine = session._painter, session._engine
            assert len(painter._said) + len(engine._events) <= 2 * MOST_SAID + 20
            assert len(engine._queue) <= 60 * 25 + 5
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
            live.websocket.transport.abort()
        await assert_nothing_left(bridge)


async def test_utterances_of_one_sample(triton):
    """Each utterance counts as a picture at least, so that a minute of them is no more than 1,500."""
    async with serve(config_for(triton, speech_held_s=1)) as bridge:
        async with started(bridge, "stuck", pacing="real_time") as live:
            for _ in range(27):
                await live.say(np.ones(1, "<i2"))
            error = await live.until("error")
        assert error["error"] == "expected at most 1 s of sound that is not shown yet, got 1.0 s"
        await assert_nothing_left(bridge)


async def test_many_messages_at_once_do_not_hold_up_others(bridge):
    """However many messages of one client are here already, others have their turn in between."""
    async with started(bridge) as live:
        (session,) = bridge._sessions
        turns = []

        async def other():
            while session.requests < 10_000:
                turns.append(session.requests)
                await asyncio.sleep(0)

        watching = asyncio.create_task(other())
        frames = [b'{"type": "interrupt"}'] * 10_000
        live.websocket.transport.write(b"".join(map(masked_text, frames)))
        await watching
    gaps = np.diff(turns)
    assert gaps.max() <= 64


def masked_text(payload):
    """Return a WebSocket frame as a client sends it, under a mask of zeros."""
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def test_start_and_close_again_and_again(triton, bridge):
    """Fifty sessions that only begin cost the first one's trial, and of each one picture and one vector at most."""

    async def begin():
        async with started(bridge):
            pass

    for _ in range(5):
        await asyncio.gather(*(begin() for _ in range(10)))
    assert triton.calls["echo_live"] <= TRIAL_PICTURES + 1 + 50
    assert triton.calls["echo_speech"] <= 51
    await assert_nothing_left(bridge)
    assert await metric(bridge, 'closed_total{code="ok"}') == 50


async def test_a_client_that_leaves_before_it_is_let_in(triton, bridge):
    """One that is gone before its session has begun leaves nothing behind."""
    for _ in range(10):
        async with opened(bridge) as live:
            await live.tell("start", avatar="echo")
            live.websocket.transport.abort()
    await assert_nothing_left(bridge)


async def test_silence_for_an_hour(triton):
    """Of zeros Triton is asked once for each frame of the clip, and then no more, whatever is said about them."""
    settings = {"speech_held_s": 3_600, "speech_admission": "off"}
    async with serve(config_for(triton, **settings)) as bridge:
        async with started(bridge) as live:
            minute = np.zeros(16_000 * 15, "<i2")
            await live.say(minute)
            await live.until("ended")
            calls = triton.calls["echo_live"], triton.calls["echo_speech"]
            assert calls[0] <= TRIAL_PICTURES + 1 + 37 + 20
            assert calls[1] == 1
            for _ in range(8):
                await live.say(minute, end=False)
            await live.tell("end")
            ended = await live.until("ended")
        assert ended["pictures"] == 8 * 15 * 25
        # the first and last windows of an utterance hold zeros beside the vectors of silence
        assert triton.calls["echo_live"] - calls[0] <= 18
        assert triton.calls["echo_speech"] == calls[1]


async def test_no_clock_and_no_haste(triton):
    """A client without a clock that reads slowly is held back: the bridge keeps half of what may wait, no more."""
    async with serve(config_for(triton, speech_held_s=2, send_timeout_s=60)) as bridge:
        async with started(bridge) as live:
            live.websocket.transport.pause_reading()
            triton.live_jpeg = lambda name, frame_id, window: bytes(1 << 18)
            (session,) = bridge._sessions
            saying = asyncio.create_task(live.say(noise(800_000), [640] * 1_250))
            await until(lambda: session._engine.held_s > 1)
            for _ in range(1_000):
                await asyncio.sleep(0)
                assert session._engine.held_s <= 1.04
            saying.cancel()
            await asyncio.gather(saying, return_exceptions=True)
            live.websocket.transport.abort()
        await assert_nothing_left(bridge)


@pytest.mark.parametrize("paced", [True, False])
async def test_a_thousand_interrupts(paced):
    """Whenever a client interrupts, also while an event is being sent, no picture of the old epoch follows."""
    for seed in range(500):
        epochs = interrupted_session(random.Random(seed), paced)
        assert epochs == sorted(epochs)


def interrupted_session(rng, paced):
    """Run one session in which anything may happen between two messages; return the epochs in the order they came."""
    now_s, epochs = 0.0, []
    engine = Engine(EngineOptions(frame_count=9, paced=paced, requests=4), now_s)
    engine.silent_pictures.update({i: Picture(b"silent", BOUNDS) for i in range(9)})
    under_way = []
    for _ in range(12):
        now_s += rng.choice([0, 0.01, 0.05, 0.3])
        if rng.random() < 0.6:
            engine.feed(np.full(rng.randint(1, 9_000), rng.random(), np.float32), 1, now_s)
        if rng.random() < 0.2:
            engine.end(np.zeros(0, np.float32), now_s)
        under_way += engine.requests(now_s)
        rng.shuffle(under_way)
        for _ in range(rng.randint(0, len(under_way))):
            answer(engine, under_way.pop())
        for message in engine.messages(now_s):
            epochs.append(epoch_of(message))
            if rng.random() < 0.1:
                engine.interrupt(now_s)
    return epochs


def answer(engine, request):
    """Answer a request the way the simulated Triton does."""
    if hasattr(request, "window"):
        engine.painted(request, Picture(b"speech", BOUNDS))
    elif hasattr(request, "samples"):
        engine.encoded(request, np.zeros((len(request.samples), 512), np.float32))


def epoch_of(message):
    """Return the epoch that an event or a picture names."""
    return json.loads(message)["epoch"] if isinstance(message, str) else HEADER.unpack(message[:48])[3]


async def test_painter_bounds_what_it_says(bridge):
    """A painter says that it is full once more events wait than a client that reads ever has."""
    painter = Painter(Engine(EngineOptions(frame_count=9), 0.0), None, "echo", bridge._hub, "id")
    for _ in range(MOST_SAID):
        painter.say("{}")
    assert not painter.is_full
    painter.say("{}")
    assert painter.is_full
