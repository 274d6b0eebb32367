"""The connection to the bridge: utterances go there, their pictures come back; one that breaks off is opened again."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from livekit.plugins.lipsync.playout import Playout, Segment

from lipsync_client import Fault, LipsyncError, SpeechPicture, SpeechSession
from lipsync_client.speech import open_speech
from lipsync_client.speech_settings import SpeechSettings

__all__ = ["BridgeLink"]

PIECES_PER_S = 10
"""Sound is sent in tenths of a second, so that one more is known soon not to be wanted any more."""

RETRY_S = (0.25, 5.0)
"""How long to wait before another try: at first, and at most; it doubles between."""

PING_S = 60.0
"""A bridge ends a session that it heard nothing from for five minutes."""

logger = logging.getLogger("livekit.plugins.lipsync")


@dataclasses.dataclass(frozen=True)
class _Anchor:
    """Where an utterance lies in a session: its sample ``at`` is the session's ``session_sample``."""

    session_sample: int
    segment: Segment
    at: int


class BridgeLink:
    """Serves a playout until ``close``: what is said there is sent, and the pictures of it are put there.

    Args:
        settings: Of each session.
        playout: Whose utterances are sent.
        changed: Called when the playout may have something more to give out.
    """

    def __init__(self, settings: SpeechSettings, playout: Playout, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._playout = playout
        self._changed = changed
        self._anchors: deque[_Anchor] = deque()
        self._session: SpeechSession | None = None
        self._has_sound = asyncio.Event()
        self._interrupting: asyncio.Task[None] | None = None
        self._running: asyncio.Task[None] | None = None
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Connect, and return when the first session has begun.

        Raises:
            LipsyncError: If it cannot begin; then nothing is tried again.
        """
        self._running = asyncio.create_task(self._run())
        try:
            await asyncio.shield(self._started)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection; harmless when repeated."""
        await _cancelled(self._running, self._interrupting)

    def sound_came(self) -> None:
        """Have the playout's new sound, or its end, sent."""
        self._has_sound.set()

    def interrupt(self) -> None:
        """Have the bridge forget all that it was sent, and let nothing of it come back."""
        has_said = bool(self._anchors)
        self._anchors.clear()
        self._has_sound.set()
        if self._session is not None and has_said:
            self._interrupting = asyncio.create_task(self._interrupt(self._session, self._interrupting))

    async def _run(self) -> None:
        """Have one session after another."""
        shortest_s, longest_s = RETRY_S
        wait_s = shortest_s
        while True:
            try:
                async with open_speech(self._settings) as session:
                    wait_s = shortest_s
                    await self._serve(session)
            except LipsyncError as exc:
                if not self._started.done():
                    self._started.set_exception(exc)
                    return
                logger.warning("no face until the bridge is back, sound goes on: %s", exc)
            finally:
                self._set_session(None)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, longest_s)

    async def _serve(self, session: SpeechSession) -> None:
        self._playout.send_anew()
        self._anchors.clear()
        self._set_session(session)
        if self._started.done():
            logger.info("the bridge is back: session %s", session.started.session)
        else:
            self._started.set_result(None)
        await _first_failure(self._send(session), self._receive(session))

    def _set_session(self, session: SpeechSession | None) -> None:
        self._session = session
        self._playout.is_connected = session is not None
        if session is not None:
            self._playout.look_ahead_s = session.started.look_ahead_ms / 1000
        self._changed()

    async def _send(self, session: SpeechSession) -> None:
        while True:
            if self._interrupting is not None:  # what comes next is of the new epoch
                await asyncio.shield(self._interrupting)
                self._interrupting = None
                continue
            segment = next((one for one in self._playout.segments if not one.is_end_sent), None)
            piece = b"" if segment is None else segment.unsent(self._settings.sample_rate // PIECES_PER_S)
            if segment is not None and piece:
                await self._send_piece(session, segment, piece)
            elif segment is not None and segment.is_ended:
                segment.is_end_sent = True
                await session.end()
            else:
                await self._wait_for_sound(session)

    async def _send_piece(self, session: SpeechSession, segment: Segment, piece: bytes) -> None:
        if all(anchor.segment is not segment for anchor in self._anchors):
            while self._anchors and self._anchors[0].segment.is_over:
                self._anchors.popleft()
            self._anchors.append(_Anchor(session.sent_samples, segment, segment.sent))
        before = session.sent_samples
        await session.send(piece)
        segment.sent += session.sent_samples - before

    async def _wait_for_sound(self, session: SpeechSession) -> None:
        self._has_sound.clear()
        try:
            async with asyncio.timeout(PING_S):
                await self._has_sound.wait()
        except TimeoutError:
            await session.ping()

    async def _receive(self, session: SpeechSession) -> None:
        async for message in session.messages():
            if isinstance(message, Fault):
                logger.warning("pictures are being lost: %s", message.error)
            elif isinstance(message, SpeechPicture):
                self._put(message)
                self._changed()

    def _put(self, picture: SpeechPicture) -> None:
        """Put a picture to its sound; one whose sound nobody wants any more is dropped."""
        if picture.sample is None:
            self._playout.put_silent(picture)
            return
        for anchor in reversed(self._anchors):
            if picture.sample >= anchor.session_sample:
                anchor.segment.put(anchor.at + picture.sample - anchor.session_sample, picture)
                return

    async def _interrupt(self, session: SpeechSession, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        await session.interrupt()


async def _first_failure(*parties: Coroutine[Any, Any, None]) -> None:
    """Run all until one fails or returns, then end the others; raise what the first one did."""
    tasks = [asyncio.create_task(party) for party in parties]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done:
                task.result()
    finally:
        await _cancelled(*tasks)


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    known = [task for task in tasks if task is not None]
    for task in known:
        task.cancel()
    await asyncio.gather(*known, return_exceptions=True)
