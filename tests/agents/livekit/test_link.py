"""livekit/plugins/lipsync/link.py: bridges that die and come back, and what is said meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest
from livekit.plugins.lipsync import LipsyncGenerator
from livekit.plugins.lipsync.link import BridgeLink
from livekit.plugins.lipsync.playout import Playout

from lipsync_client import SpeechPicture, connect_speech
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from tests.agents.conftest import Running
from tests.agents.livekit.stage import Relay, playing, speech
from tests.clients.fake_speech_bridge import FakeSpeechBridge


async def test_speech_goes_on_without_the_bridge(start_bridge: Callable[..., Running]) -> None:
    """A bridge is killed in mid-sentence: sound goes on, whole, to its end."""
    own, pcm = await asyncio.to_thread(start_bridge), speech(4)
    async with playing(own.url) as (_, stage):
        await stage.say(pcm)
        await stage.until(lambda: bool(stage.heard))
        await asyncio.to_thread(own.kill)
        await stage.until(lambda: bool(stage.finished))
    assert stage.heard == pcm
    assert stage.finished[0].playback_position == pytest.approx(4.0, abs=1e-9)


async def test_a_bridge_that_comes_back(bridge: Running) -> None:
    """When a sentence is begun without it, it is sent the rest, and paints that; then the next sentence whole."""
    async with Relay(bridge.url) as relay, playing(relay.url) as (generator, stage):
        pictures = watch_link(generator)
        await relay.cut()
        await stage.until(lambda: not generator._playout.is_connected)
        await stage.say(speech(10))
        await stage.until(lambda: len(stage.heard) > 16_000)
        assert pictures == []
        await relay.mend()
        await stage.until(lambda: bool(pictures) or bool(stage.finished))
        assert not stage.finished
        stage.queue.clear_buffer()
        await stage.until(lambda: bool(stage.finished))
        begin = len(stage.heard)
        await stage.say(speech(1))
        await stage.until(lambda: len(stage.finished) == 2)
    assert stage.heard[:begin] == speech(10)[:begin]
    assert stage.heard[begin:] == speech(1)
    assert pictures[-1].epoch == 1


def watch_link(generator: LipsyncGenerator) -> list[SpeechPicture]:
    """Note which pictures of speech come."""
    came: list[SpeechPicture] = []
    put = generator._link._put

    def note(picture: SpeechPicture) -> None:
        if picture.is_speech:
            came.append(picture)
        put(picture)

    generator._link._put = note  # type: ignore[method-assign]
    return came


class Linked:
    """A link to a fake bridge."""

    def __init__(self, url: str, avatar: str = "echo") -> None:
        self.playout = Playout(16_000, 0.4525, 2.0, asyncio.get_running_loop().time())
        self.changed = asyncio.Event()
        settings = SpeechSettings(endpoint=parse_bridge_url(url), avatar=avatar)
        self.link = BridgeLink(settings, self.playout, self.changed.set)

    def say(self, pcm: bytes, *, ends: bool = True) -> None:
        """Say something."""
        now_s = asyncio.get_running_loop().time()
        self.playout.push(pcm, now_s)
        if ends:
            self.playout.end(now_s)
        self.link.sound_came()

    async def until(self, fulfilled: Callable[[], bool]) -> None:
        """Wait until the link has brought something about."""
        async with asyncio.timeout(20):
            while not fulfilled():
                self.changed.clear()
                await self.changed.wait()


async def test_pictures_come_to_their_sound() -> None:
    """Each utterance has its own pictures, though the session counts on."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url)
        await linked.link.start()
        linked.say(bytes(2 * 6400))
        linked.say(bytes(2 * 3210))
        first, second = linked.playout.segments
        await linked.until(lambda: len(second._pictures) == 6)
        assert [sample for sample, _ in first._pictures] == list(range(0, 6400, 640))
        assert [sample for sample, _ in second._pictures] == list(range(0, 3210, 640))
        await linked.link.close()


async def test_after_an_interruption_only_the_new_is_sent() -> None:
    """The bridge hears of the interruption before the new sound, and the new pictures find it."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url)
        await linked.link.start()
        linked.say(bytes(2 * 16_000), ends=False)
        old = linked.playout.segments[0]
        await linked.until(lambda: bool(old._pictures))
        linked.playout.clear()
        linked.link.interrupt()
        known = len(old._pictures)
        linked.say(b"\1\0" * 6400)
        new = linked.playout.segments[0]
        await linked.until(lambda: len(new._pictures) == 10)
        assert len(old._pictures) == known
        heard = bridge.heard
        place = heard.index("interrupt")
        assert b"".join(piece for piece in heard[place:] if isinstance(piece, bytes)) == b"\1\0" * 6400
        assert not any(b"\1" in piece for piece in heard[:place] if isinstance(piece, bytes))
        await linked.link.close()


async def test_an_interruption_of_nothing_is_not_sent() -> None:
    """A bridge that was told nothing need not forget it."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url)
        await linked.link.start()
        linked.link.interrupt()
        linked.say(bytes(1280))
        await linked.until(lambda: bool(linked.playout.segments[0]._pictures))
        assert "interrupt" not in bridge.heard
        await linked.link.close()


async def test_a_session_that_breaks_off_is_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    """The log has one sentence for it, and what was not played is sent to the next one, from its start."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url, "dies")
        await linked.link.start()
        with caplog.at_level(logging.INFO, logger="livekit.plugins.lipsync"):
            linked.say(bytes(2 * 4000), ends=False)
            await linked.until(lambda: not linked.playout.is_connected)
            await linked.until(lambda: linked.playout.is_connected)
            await linked.until(lambda: not linked.playout.is_connected)
        await linked.link.close()
    lost, back = (record.getMessage() for record in caplog.records[:2])
    assert lost.startswith("no face until the bridge is back, sound goes on: expected the session at ")
    assert back == "the bridge is back: session fake"
    assert len(bridge.starts) >= 2


@pytest.mark.parametrize(("avatar", "code"), [("overloaded", "overloaded"), ("deaf", "speech_refused")])
async def test_a_start_that_is_refused(avatar: str, code: str) -> None:
    """The first refusal is an error, and is not tried again."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url, avatar)
        with pytest.raises(Exception) as caught:  # noqa: PT011
            await linked.link.start()
        assert getattr(caught.value, "code", None) == code
        assert len(bridge.starts) == 1


async def test_closing_leaves_the_bridge() -> None:
    """The connection is closed, and nothing is tried again."""
    async with FakeSpeechBridge() as bridge:
        linked = Linked(bridge.url)
        await linked.link.start()
        await linked.link.close()
        await asyncio.wait_for(bridge.closed.wait(), 10)
        async with connect_speech(bridge.url, "echo"):
            assert len(bridge.starts) == 2
