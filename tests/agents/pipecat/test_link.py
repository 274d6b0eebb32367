"""pipecat_lipsync/link.py"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from lipsync_client import Ended, SpeechPicture, SpeechSession
from lipsync_client.speech_settings import SpeechSettings, parse_bridge_url
from lipsync_client.speech_wire import Message
from pipecat_lipsync import link
from pipecat_lipsync.link import Link
from tests.agents.conftest import AVATAR, Running
from tests.agents.pipecat.pipeline import WAIT_S, voice


@dataclass
class Told:
    """A listener that keeps what it is told."""

    sessions: list[SpeechSession] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    stalls: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def opened(self, session: SpeechSession) -> None:
        self.sessions.append(session)
        self.changed.set()

    async def received(self, message: Message) -> None:
        self.messages.append(message)
        self.changed.set()

    def stalled(self) -> None:
        self.stalls += 1
        self.changed.set()

    async def lost(self, error: Exception) -> None:
        self.errors.append(error)
        self.changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Return once a condition is fulfilled."""
        async with asyncio.timeout(WAIT_S):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def linked(bridge: Running, pacing: str = "none") -> AsyncIterator[tuple[Link, Told]]:
    """Run a link to a bridge, and yield it when a session has begun."""
    told = Told()
    settings = SpeechSettings(
        endpoint=parse_bridge_url(bridge.url), avatar=AVATAR, pacing=pacing, answer_timeout_s=WAIT_S
    )
    linked = Link(settings, told)
    task = asyncio.create_task(linked.run())
    try:
        await told.until(lambda: told.sessions)
        await asyncio.sleep(0)
        yield linked, told
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_what_is_said_is_shown(bridge: Running) -> None:
    """Sound that is ended has its pictures, and a word when all are there; an end without sound has none."""
    async with linked(bridge) as (line, told):
        assert line.is_open
        line.end()
        line.say(voice(0.2).tobytes())
        line.end()
        await told.until(lambda: any(isinstance(message, Ended) for message in told.messages))
        ended = [message for message in told.messages if isinstance(message, Ended)]
    assert [(message.samples, message.pictures) for message in ended] == [(3_200, 5)]
    assert told.stalls == 0
    assert not line.is_open


async def test_a_stall_is_told_once(bridge: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech that breaks off is told of; after its end, or an interruption, silence is no stall."""
    monkeypatch.setattr(link, "STALL_S", 0.05)
    async with linked(bridge) as (line, told):
        line.say(voice(0.2).tobytes())
        await told.until(lambda: told.stalls)
        line.end()
        line.say(voice(0.2).tobytes())
        line.interrupt(lambda epoch, first_sample: None)
        line.say(voice(0.2).tobytes())
        line.end()
        await told.until(lambda: any(isinstance(m, Ended) and m.epoch == 1 for m in told.messages))
    assert told.stalls <= 2  # the second utterance may have had its own before it was interrupted


async def test_an_interruption_says_where_the_new_epoch_begins(bridge: Running) -> None:
    """Of sound that waits for room, the rest is not sent any more: the next picture's sample is the one told."""
    begun: list[tuple[int, int]] = []
    async with linked(bridge) as (line, told):
        line.say(voice(60.0).tobytes())
        line.say(voice(60.0).tobytes())
        await told.until(lambda: any(isinstance(message, SpeechPicture) for message in told.messages))
        line.interrupt(lambda epoch, first_sample: begun.append((epoch, first_sample)))
        line.say(voice(0.2).tobytes())
        line.end()
        await told.until(lambda: any(isinstance(m, Ended) and m.epoch == 1 for m in told.messages))
        pictures = [m for m in told.messages if isinstance(m, SpeechPicture) and m.epoch == 1]
    ((epoch, first_sample),) = begun
    assert epoch == 1
    assert 0 < first_sample < 60 * 16_000
    assert [picture.sample for picture in pictures] == [first_sample + 640 * place for place in range(5)]


async def test_interruptions_in_a_row(bridge: Running) -> None:
    """Each is told to the bridge, in its order, and sound after the last is the only one that is shown."""
    begun: list[tuple[int, int]] = []
    async with linked(bridge) as (line, told):
        for _ in range(3):
            line.say(voice(2.0).tobytes())
            line.interrupt(lambda epoch, first_sample: begun.append((epoch, first_sample)))
        line.say(voice(0.2).tobytes())
        line.end()
        await told.until(lambda: any(isinstance(message, Ended) for message in told.messages))
        pictures = [message for message in told.messages if isinstance(message, SpeechPicture)]
    assert [epoch for epoch, _ in begun] == [1, 2, 3]
    assert {picture.epoch for picture in pictures} == {3}
    assert pictures[0].sample == begun[-1][1]


async def test_a_silent_session_is_kept(
    start_bridge: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge that ends sessions after a second without a word does not end one that is linked."""
    monkeypatch.setattr(link, "PING_S", 0.2)
    own = start_bridge("--speech-idle-timeout-s", "1")
    async with linked(own, pacing="real_time") as (line, told):
        await told.until(lambda: any(isinstance(m, SpeechPicture) and m.number > 60 for m in told.messages))
        assert line.is_open
    assert told.errors == []
