"""Viewers of clips: each asks for a frame whenever one is due, and connects again as the page does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from benchmarks.websocket import JPEG_START, frame_message

__all__ = ["Frame", "Viewer", "playing"]

FIRST_RETRY_S, MAX_RETRY_S = 1.0, 8.0
"""The page's, of ``bridge/static/connection.js``."""

LAST_ANSWERS_S = 10.0


@dataclass
class Frame:
    """One frame that a viewer asked for; times are the event loop's.

    Attributes:
        due_s: When it was to be asked for.
        came_s: When its answer came, None while there is none.
        error: The code of an answer that is no picture.
    """

    frame_id: int
    due_s: float
    came_s: float | None = None
    error: str | None = None

    def failed(self, now_s: float) -> bool:
        """Whether it brought an error, or nothing in all the time that anybody would wait."""
        return self.error is not None or (self.came_s is None and now_s - self.due_s > LAST_ANSWERS_S)

    def wait_s(self, now_s: float) -> float:
        """Return how long it was, or has been, waited for."""
        return (now_s if self.came_s is None else self.came_s) - self.due_s


class Viewer:
    """One viewer of one avatar.

    Args:
        port: The bridge's.
        avatar: Played from ``frame_ids`` in turn, without end.
        frames_per_s: How often a frame is due.
        lag_s: When the first one is due, from the start.

    Attributes:
        interval_s: How long after one frame the next one is due.
        frames: All that fell due, in order.
        losses: How often the connection was lost.
    """

    def __init__(
        self, port: int, avatar: str, frame_ids: Sequence[int], frames_per_s: float, lag_s: float
    ) -> None:
        self.frames: list[Frame] = []
        self.losses = 0
        self._url = f"ws://127.0.0.1:{port}/ws"
        self._avatar, self._frame_ids = avatar, frame_ids
        self.interval_s, self._lag_s = 1 / frames_per_s, lag_s
        self._asked: deque[Frame] = deque()
        self._open = asyncio.Event()
        self._stopped = asyncio.Event()
        self._done = asyncio.Event()
        self._websocket: ClientConnection

    async def run(self) -> None:
        """Play until ``stop``, and wait for the last answers."""
        connecting = asyncio.create_task(self._stay_connected())
        try:
            await self._ask_when_due()
            self._check_done()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._done.wait(), LAST_ANSWERS_S)
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)

    def stop(self) -> None:
        """Ask for no further frame."""
        self._stopped.set()

    async def _ask_when_due(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time() + self._lag_s
        while not self._stopped.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), max(0.0, due_s - loop.time()))
                return
            frame = Frame(self._frame_ids[len(self.frames) % len(self._frame_ids)], due_s)
            self.frames.append(frame)
            self._asked.append(frame)
            if self._open.is_set():
                await self._send(self._websocket, [frame])
            else:
                await self._open.wait()  # which asks for it, too; the page begins anew from there
                due_s = loop.time()
            due_s += self.interval_s

    async def _stay_connected(self) -> None:
        failures = 0
        while True:
            with contextlib.suppress(OSError, InvalidHandshake, EOFError, asyncio.TimeoutError):
                async with connect(self._url, compression=None, ping_interval=None) as websocket:
                    failures = 0
                    self._websocket = websocket
                    await self._send(websocket, list(self._asked))
                    self._open.set()
                    await self._receive(websocket)
            self._open.clear()
            self.losses += 1
            await asyncio.sleep(min(FIRST_RETRY_S * 2**failures, MAX_RETRY_S))
            failures += 1

    async def _send(self, websocket: ClientConnection, frames: Iterable[Frame]) -> None:
        with contextlib.suppress(ConnectionClosed):  # what is unanswered is asked for again
            for frame in frames:
                await websocket.send(frame_message(self._avatar, frame.frame_id))

    async def _receive(self, websocket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in websocket:
                frame = self._asked.popleft()
                frame.came_s = asyncio.get_running_loop().time()
                if isinstance(message, str):
                    frame.error = json.loads(message).get("code", message)
                elif message[:2] != JPEG_START:
                    frame.error = repr(message[:20])
                self._check_done()

    def _check_done(self) -> None:
        if self._stopped.is_set() and not self._asked:
            self._done.set()


@contextlib.asynccontextmanager
async def playing(
    port: int, avatar: str, frame_count: int, viewers: int = 8, frames_per_s: float = 25.0
) -> AsyncIterator[list[Viewer]]:
    """Have viewers play a clip from different frames on while the block runs; their last answers are waited for."""
    members = []
    for index in range(viewers):
        first = index * frame_count // viewers
        frame_ids = [*range(first, frame_count), *range(first)]
        lag_s = index / viewers / frames_per_s
        members.append(Viewer(port, avatar, frame_ids, frames_per_s, lag_s))
    tasks = [asyncio.create_task(viewer.run()) for viewer in members]
    try:
        yield members
        for viewer in members:
            viewer.stop()
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
