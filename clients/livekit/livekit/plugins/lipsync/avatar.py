"""The avatar of an agent session, in the agent's own process: what the agent says gets a face in its room."""

from __future__ import annotations

from typing import Any

from livekit import rtc
from livekit.agents import AgentSession
from livekit.agents.voice import avatar as voice_avatar
from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput
from livekit.plugins.lipsync.generator import LipsyncGenerator

__all__ = ["AvatarSession", "end"]


class AvatarSession(voice_avatar.AvatarSession[str]):
    """An avatar for an agent: ``await AvatarSession(generator).start(session, ctx.room)`` before ``session.start``.

    It speaks as the agent's own participant, which publishes a track of sound and one of pictures.

    Args:
        generator: Made with the bridge's URL, the avatar and its settings; started and closed with this session.
    """

    def __init__(self, generator: LipsyncGenerator) -> None:
        super().__init__()
        self._generator = generator
        self._runner: AvatarRunner | None = None
        self._has_started = False

    @property
    def avatar_identity(self) -> str:
        """The participant that the avatar speaks as: the agent's own."""
        assert self._room is not None, "the session was not started"
        return self._room.local_participant.identity

    @property
    def provider(self) -> str:
        """Who makes the pictures."""
        return "lipsync"

    async def start(self, agent_session: AgentSession[Any], room: rtc.Room) -> None:
        """Connect to the bridge, and give the agent's speech to the avatar.

        Raises:
            LipsyncError: As ``LipsyncGenerator.start``; then the agent's own voice is left as it was.
        """
        try:
            await self._generator.start()
            await super().start(agent_session, room)
            options = self._generator.options
            sound = QueueAudioOutput(sample_rate=options.audio_sample_rate, wait_playback_start=True)
            self._runner = AvatarRunner(room, audio_recv=sound, video_gen=self._generator, options=options)
            await self._runner.start()
            self._has_started = True
        except BaseException:
            await self.aclose()
            raise
        agent_session.output.replace_audio_tail(sound)

    async def aclose(self) -> None:
        """End the avatar and its connection to the bridge; the agent stays in its room. Harmless when repeated."""
        if self._room is not None:  # else the framework removes the avatar's participant: the agent's own
            self._room.off("connection_state_changed", self._on_connection_state_changed)
            self._room = None
        await super().aclose()
        await self._generator.aclose()
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await end(runner, started=self._has_started)


async def end(runner: AvatarRunner, *, started: bool) -> None:
    """End a runner, also one whose start failed or was cut short, which cannot be closed as a whole."""
    if started:
        await runner.aclose()
    else:
        await runner.av_sync.aclose()
