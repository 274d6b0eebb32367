"""A LiveKit agent with a face, without a LiveKit server: it says a WAV file, and a video shows what it publishes.

python speaker.py SOUND.wav VIDEO.mp4 [BRIDGE]
"""

import asyncio
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.plugins.lipsync import AvatarSession, LipsyncGenerator
from livekit.plugins.lipsync.recording import recorded


async def spoken(path: str) -> AsyncIterator[rtc.AudioFrame]:
    """Yield a WAV file (16 bits) as text to speech does: in pieces, faster than it is played."""
    with wave.open(path) as sound:
        while pcm := sound.readframes(sound.getframerate() // 10):
            channels = sound.getnchannels()
            yield rtc.AudioFrame(pcm, sound.getframerate(), channels, len(pcm) // 2 // channels)


async def main(sound: str, video: str, bridge: str = "http://localhost:8086") -> None:
    """Let the avatar say the sound."""
    session, avatar = AgentSession(), AvatarSession(LipsyncGenerator(bridge, "demo"))
    async with recorded(Path(video)) as room:
        await avatar.start(session, room)  # in a job of LiveKit's: ctx.room
        await session.start(Agent(instructions=""))
        await session.say("", audio=spoken(sound)).wait_for_playout()
        await session.aclose()
        await avatar.aclose()


asyncio.run(main(*sys.argv[1:]))
