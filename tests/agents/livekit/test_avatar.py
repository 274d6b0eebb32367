"""livekit/plugins/lipsync/avatar.py: LiveKit's own agent session says something."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.plugins.lipsync import AvatarSession, LipsyncGenerator

from lipsync_client import UnknownModel
from tests.agents.conftest import AVATAR, Running
from tests.agents.livekit.stage import RATE, StubRoom, sounds, speech

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own


async def voiced(pcm: bytes) -> AsyncIterator[rtc.AudioFrame]:
    """Yield speech as text to speech does."""
    for start in range(0, len(pcm), 3200):
        piece = pcm[start : start + 3200]
        yield rtc.AudioFrame(piece, RATE, 1, len(piece) // 2)


async def test_an_agent_speaks(bridge: Running) -> None:
    """What it says is published, with pictures, on tracks of its own; then it stays in its room."""
    room, pcm, heard = StubRoom(), speech(1.5), []
    session: AgentSession[None] = AgentSession(resume_false_interruption=False)
    avatar = AvatarSession(LipsyncGenerator(bridge.url, AVATAR))
    await avatar.start(session, room)  # type: ignore[arg-type]
    try:
        assert avatar._runner is not None
        push = avatar._runner.av_sync.push

        async def spy(frame: rtc.VideoFrame | rtc.AudioFrame, timestamp: float | None = None) -> None:
            heard.append(frame)
            await push(frame, timestamp)

        avatar._runner.av_sync.push = spy  # type: ignore[method-assign]
        assert avatar.avatar_identity == "agent"
        await session.start(Agent(instructions=""))
        await session.say("", audio=voiced(pcm)).wait_for_playout()
        assert sounds(heard) == pcm
        assert {type(track) for track in room.published} == {rtc.LocalAudioTrack, rtc.LocalVideoTrack}
        await session.aclose()
    finally:
        await avatar.aclose()
        await avatar.aclose()  # harmless


async def test_an_agent_is_interrupted(bridge: Running) -> None:
    """The framework's own interruption: the speech is over soon, and the next one is whole."""
    room = StubRoom()
    session: AgentSession[None] = AgentSession(resume_false_interruption=False)
    avatar = AvatarSession(LipsyncGenerator(bridge.url, AVATAR))
    await avatar.start(session, room)  # type: ignore[arg-type]
    try:
        await session.start(Agent(instructions=""))
        finished = []
        session.output.audio.on("playback_finished", finished.append)  # type: ignore[union-attr]
        long = session.say("", audio=voiced(speech(8)))
        session.output.audio.once("playback_started", lambda _: long.interrupt())  # type: ignore[union-attr]
        await long.wait_for_playout()
        assert long.interrupted
        await session.say("", audio=voiced(speech(1))).wait_for_playout()
        assert [event.interrupted for event in finished] == [True, False]
        assert finished[0].playback_position < 4
        assert finished[1].playback_position == pytest.approx(1.0, abs=1e-9)
        await session.aclose()
    finally:
        await avatar.aclose()


async def test_an_avatar_that_is_not_there_leaves_the_voice(bridge: Running) -> None:
    """A start that fails is an error, and what the agent speaks through stays as it was."""
    session: AgentSession[None] = AgentSession(resume_false_interruption=False)
    avatar = AvatarSession(LipsyncGenerator(bridge.url, "nobody"))
    with pytest.raises(Exception, match="nobody") as caught:
        await avatar.start(session, StubRoom())  # type: ignore[arg-type]
    assert not isinstance(caught.value, UnknownModel) or caught.value.model_name == "nobody"
    assert session.output.audio is None
