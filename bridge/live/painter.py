"""Brings an engine the answers to its requests: from Triton, or from memory where what is heard is silence."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import numpy as np

from bridge import request_id
from bridge.errors import BadRequest, BridgeError, InternalError, InvalidFrameId, UnknownModel
from bridge.live.engine import Engine
from bridge.live.hub import Hub
from bridge.live.requests import EncodeRequest, PaintRequest, Picture, SilentRequest, Vectors
from bridge.live.silence import SilentClip
from bridge.live.wire import encode_error

__all__ = ["Painter"]

HOPELESS = (UnknownModel, BadRequest, InvalidFrameId)
"""What asking again cannot change: the avatar was unloaded, or replaced by another one."""

PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Pauses between tries of what may not be lost: vectors, and pictures where no clock waits for them."""

MOST_SAID = 64
"""Events that may wait to be sent before the client is no longer read."""

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Painter:
    """Carries out one engine's requests, each in a task of its own; the engine bounds how many there are.

    Attributes:
        wake: Set whenever there may be something new to send or to ask for.
        progress: Set when pictures were sent, so that there may be room for more sound.
    """

    def __init__(self, engine: Engine, clip: SilentClip, avatar: str, hub: Hub, session_id: str) -> None:
        self.wake = asyncio.Event()
        self.progress = asyncio.Event()
        self._engine = engine
        self._clip = clip
        self._avatar = avatar
        self._hub = hub
        self._session_id = session_id
        self._tasks: set[asyncio.Task[None]] = set()
        self._said: deque[str] = deque()
        self._failure: BridgeError | None = None
        self._is_losing = False

    @property
    def is_full(self) -> bool:
        """Whether so many events wait to be sent that the client should not bring up more."""
        return len(self._said) > MOST_SAID or self._engine.is_full

    def ask(self, now_s: float) -> None:
        """Begin to carry out what the engine wants now.

        Raises:
            BridgeError: If a request failed for good: the session cannot go on.
        """
        if self._failure is not None:
            raise self._failure
        for request in self._engine.requests(now_s):
            if isinstance(request, EncodeRequest):
                self._begin(self._encode(request), f"{self._session_id}-v{request.first}")
            elif isinstance(request, PaintRequest):
                self._begin(self._paint(request), f"{self._session_id}-{request.number}")
            elif isinstance(request, SilentRequest):
                self._hub.silent_clips.paint(self._avatar, self._clip, request.frame_id, self.wake.set)

    def messages(self, now_s: float) -> Iterator[str | bytes]:
        """Yield what is to be sent now."""
        while self._said:
            yield self._said.popleft()
        yield from self._engine.messages(now_s)

    def fail(self, error: BridgeError) -> None:
        """Have the session end with an error."""
        self._failure = error
        self.wake.set()

    def say(self, event: str) -> None:
        """Have an event sent before the next picture."""
        self._said.append(event)

    async def close(self) -> None:
        """Cancel what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Coroutine[Any, Any, None], number: str) -> None:
        request_id.current.set(number)  # a task takes the context it is made in
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            if not isinstance(exc, BridgeError):
                logger.error("a bug: a live request ended with a foreign exception", exc_info=exc)
                exc = InternalError("foreign exception")
            self.fail(exc)
        self.wake.set()

    async def _encode(self, request: EncodeRequest) -> None:
        sounds = request.samples.any(axis=1)
        if sounds.all():
            vectors = await self._vectors(request.samples)
        else:
            vectors = np.tile(self._clip.vector, (len(request.samples), 1))
            if sounds.any():
                vectors[sounds] = await self._vectors(request.samples[sounds])
        self._engine.encoded(request, vectors)

    async def _vectors(self, samples: Vectors) -> Vectors:
        return await self._for_sure(lambda: self._hub.models.encode(self._avatar, samples))

    async def _for_sure(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask again and again, as long as that may help."""
        for pause_s in PAUSES_S:
            try:
                answer = await ask()
            except HOPELESS:
                raise
            except BridgeError as exc:
                self._warn(exc)
                await asyncio.sleep(pause_s)
            else:
                self._is_losing = False
                return answer
        return await ask()

    async def _paint(self, request: PaintRequest) -> None:
        is_silent = np.array_equal(request.window, self._clip.window)
        picture = self._clip.pictures.get(request.frame_id) if is_silent else None
        if picture is None:
            picture = await self._painted(request)
            if is_silent and picture is not None:
                self._hub.silent_clips.remember(self._clip, request.frame_id, picture)
        self._engine.painted(request, picture)

    async def _painted(self, request: PaintRequest) -> Picture | None:
        """Return Triton's picture; None where it is lost, and a clock waits for it."""

        async def ask() -> Picture:
            picture, _ = await self._hub.models.paint(self._avatar, request.frame_id, request.window)
            return picture

        if not self._engine.options.paced:
            return await self._for_sure(ask)
        try:
            picture = await ask()
        except HOPELESS:
            raise
        except BridgeError as exc:
            self._warn(exc)
            return None
        self._is_losing = False
        return picture

    def _warn(self, error: BridgeError) -> None:
        """Tell the client once that pictures are being lost, until they come again."""
        logger.warning("live session %s: %s", self._session_id, error)
        if not self._is_losing:
            self._is_losing = True
            self.say(encode_error(error, fatal=False, session=self._session_id))
