"""bridge/live/painter.py, with a fake Triton"""

import contextlib

import numpy as np
import pytest

from bridge.access.client import Client
from bridge.errors import NoUpstreamReady, UnknownModel
from bridge.live import painter as painter_module
from bridge.live.engine import Engine
from bridge.live.painter import PAUSES_S, Painter
from bridge.live.requests import EngineOptions, SilentRequest
from bridge.live.wire import Start
from tests.bridge.live.client import until
from tests.bridge.live.test_hub import hub_for

SOUND = np.random.default_rng(0).normal(size=9_000).astype(np.float32)


@contextlib.asynccontextmanager
async def painting(triton, avatar="echo", paced=False):
    """Yield an engine, and the painter that asks Triton for it."""
    async with hub_for(triton) as (hub, _), hub.seat(Start(avatar), Client("a")) as seat:
        engine = Engine(EngineOptions(frame_count=37, paced=paced), 0.0, seat.clip.pictures)
        painter = Painter(engine, seat.clip, avatar, hub, "session")
        try:
            yield engine, painter
        finally:
            await painter.close()


def speak(engine):
    """Give an engine a sound of 15 pictures."""
    engine.feed(SOUND, len(SOUND), 0.0)
    engine.end(np.zeros(0, np.float32), 0.0)


async def received(painter, count):
    """Return the first messages that a painter has to send, asking for more as long as it needs to."""
    messages = []
    while len(messages) < count:
        painter.wake.clear()
        painter.ask(0.0)
        new = list(painter.messages(0.0))
        messages += new
        if not new:
            await painter.wake.wait()
    return messages


async def test_requests_have_ids(triton):
    """Every request names its session, and its picture or vector."""
    async with painting(triton) as (engine, painter):
        speak(engine)
        triton.request_ids.clear()
        await received(painter, 17)
    assert set(triton.request_ids) >= {"session-v0", "session-v7", "session-0", "session-14"}


async def test_it_asks_again(triton, monkeypatch):
    """Without a clock nothing is lost: what Triton refuses is asked for again, and the client is told once."""
    monkeypatch.setattr(painter_module, "PAUSES_S", (0.01,) * 200)
    async with painting(triton) as (engine, painter):
        speak(engine)
        triton.set_ready(False)
        hub = painter._hub
        await until(lambda: not hub.models._balancer.ready_count)
        painter.ask(0.0)
        await until(lambda: bool(painter._said))
        triton.set_ready(True)
        messages = await received(painter, 18)
    texts = [message for message in messages if isinstance(message, str)]
    assert ['"fatal": false' in text for text in texts] == [True, False, False]
    assert '"code": "unavailable"' in texts[0]


async def test_it_gives_up(triton, monkeypatch):
    """After as many tries as there are pauses, and one, the session fails."""
    monkeypatch.setattr(painter_module, "PAUSES_S", (0.0,) * len(PAUSES_S))
    async with painting(triton) as (engine, painter):
        speak(engine)
        triton.set_ready(False)
        await until(lambda: not painter._hub.models._balancer.ready_count)
        with pytest.raises(NoUpstreamReady):
            await received(painter, 3)


async def test_what_is_hopeless_is_not_asked_for_again(triton):
    """An avatar that was unloaded fails the session at once."""
    async with painting(triton) as (engine, painter):
        speak(engine)
        calls = triton.calls["echo_speech"]
        triton.unload_model("echo")
        with pytest.raises(UnknownModel):
            await received(painter, 3)
        assert triton.calls["echo_speech"] - calls <= 2


async def test_a_foreign_exception_is_a_bug(triton, monkeypatch, caplog):
    """What nobody thought of ends the session with an internal error, and lies in the log."""
    async with painting(triton) as (engine, painter):
        speak(engine)
        monkeypatch.setattr(painter._hub.models, "encode", lambda *_: 1 / 0)
        with pytest.raises(Exception, match="internal error"):
            await received(painter, 3)
    assert "a bug: a live request ended with a foreign exception" in caplog.text


async def test_silent_pictures(triton):
    """In silence the frames that come next are asked for, and remembered for all."""
    async with painting(triton, paced=True) as (engine, painter):
        assert next(engine.requests(1.2)) == SilentRequest(24)
        painter.ask(1.2)
        await until(lambda: 24 in engine.silent_pictures)
        assert painter.wake.is_set()


async def test_close(triton):
    """What is under way is cancelled."""
    async with painting(triton, "stuck") as (engine, painter):
        speak(engine)
        painter.ask(0.0)
        await triton.wait_for_calls("stuck_speech", 2)
        await painter.close()
        await triton.wait_for_cancelled("stuck_speech", 1)
