"""The link to the bridge: a session of live speech that is opened again whenever it is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from lipsync_client import LipsyncError, SpeechLost, SpeechSession
from lipsync_client.speech import open_speech
from lipsync_client.speech_settings import SpeechSettings
from lipsync_client.speech_wire import Message
from lipsync_client.waiting import within

__all__ = ["Link", "Listener"]

FIRST_DELAY_S, LAST_DELAY_S = 0.5, 30.0
"""Before a lost session is opened again; each failure doubles the time."""

STALL_S = 1.0
"""Speech that breaks off for so long is over for the bridge, which shows its last pictures then."""

PING_S = 60.0
"""A bridge ends a session that it heard nothing from for five minutes."""

END = b""


class Listener(Protocol):
    """Who is told what becomes of the link; each call is awaited before the next."""

    async def opened(self, session: SpeechSession) -> None:
        """Take note that a session has begun: what is said from now on is heard."""

    async def received(self, message: Message) -> None:
        """Take a message of the session."""

    def stalled(self) -> None:
        """Take note that no sound came for a while in mid-utterance."""

    async def lost(self, error: Exception) -> None:
        """Take note that there is no session any more: what is said now is not heard."""


class Link:
    """A session for as long as ``run`` runs; what is to be said and shown goes through it while ``is_open``.

    Args:
        settings: Of the session.
        listener: Who is told.
    """

    def __init__(self, settings: SpeechSettings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._session: SpeechSession | None = None
        self._outbox: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._interruptions = 0
        self._interrupting: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    def say(self, pcm: bytes) -> None:
        """Have sound sent, mono s16le."""
        if pcm:
            self._outbox.put_nowait((self._interruptions, pcm))

    def end(self) -> None:
        """Have the utterance ended."""
        self._outbox.put_nowait((self._interruptions, END))

    def interrupt(self, begin: Callable[[int, int], None]) -> None:
        """Forget all that was to be said, here and at the bridge, at once; what is said next is of a new epoch.

        Args:
            begin: Called with the new epoch, and with the session's sample that its first one will be.
        """
        self._interruptions += 1
        self._empty_outbox()
        if self._session is not None:
            self._interrupting = asyncio.create_task(self._interrupt(self._session, begin))

    async def run(self) -> None:
        """Keep a session open until cancelled; it is closed then."""
        delay_s = FIRST_DELAY_S
        while True:
            try:
                async with open_speech(self._settings) as session:
                    delay_s = FIRST_DELAY_S
                    await self._serve(session)
                error: Exception = SpeechLost(str(self._settings.endpoint), "it was closed")
            except Exception as exc:  # whatever it is, the voice must not wait for a face that cannot come
                error = exc
            await self._listener.lost(error)
            await asyncio.sleep(
                delay_s * random.uniform(0.5, 1)
            )  # not all at once, where many lost one bridge
            delay_s = min(2 * delay_s, LAST_DELAY_S)

    async def _serve(self, session: SpeechSession) -> None:
        self._empty_outbox()
        await self._listener.opened(session)
        self._session = session
        tasks = [asyncio.create_task(self._read(session)), asyncio.create_task(self._send(session))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._session = None
            if self._interrupting is not None:
                tasks.append(self._interrupting)
                self._interrupting = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, session: SpeechSession) -> None:
        async for message in session.messages():
            await self._listener.received(message)

    async def _send(self, session: SpeechSession) -> None:
        spoken: int | None = (
            None  # how many interruptions there were when the utterance began that is not over
        )
        while True:
            is_speaking = spoken == self._interruptions
            try:
                item = await within(self._outbox.get(), STALL_S if is_speaking else PING_S)
            except TimeoutError:
                if is_speaking:
                    self._listener.stalled()
                else:
                    await session.ping()
                continue
            await self._interrupted()
            interruptions, pcm = item
            if interruptions != self._interruptions:  # it was on its way here meanwhile
                continue
            if pcm:
                spoken = interruptions
                await session.send(pcm)
            elif is_speaking:
                spoken = None
                await session.end()

    async def _interrupted(self) -> None:
        """Wait until the bridge was told of every interruption so far."""
        while self._interrupting is not None and not self._interrupting.done():
            await asyncio.wait([self._interrupting])

    async def _interrupt(self, session: SpeechSession, begin: Callable[[int, int], None]) -> None:
        begin(session.epoch + 1, session.sent_samples)
        with suppress(LipsyncError):  # then the session is over, which its reader says
            await session.interrupt()

    def _empty_outbox(self) -> None:
        while not self._outbox.empty():
            self._outbox.get_nowait()
