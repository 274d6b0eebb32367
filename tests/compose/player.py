"""A viewer over WebSocket that plays on while things happen, and keeps what failed."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Iterator

from websockets.asyncio.client import ClientConnection, connect

from tests.compose.stack import wait_until

__all__ = ["Player", "playing"]

MODEL = b"demo"
FRAME_COUNT = 150
IN_FLIGHT = 4
ANSWER_TIMEOUT_S = 70.0
JPEG = b"\xff\xd8"


class Player:
    """Plays the demo avatar from a thread of its own.

    Attributes:
        played: Pictures received.
        failed: Every answer that was none, and what ended the connection, if anything did.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.played = 0
        self.failed: list[str] = []
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask for no more frames."""
        self._stopping.set()

    def wait_for(self, frames: int, timeout_s: float = 120.0) -> None:
        """Return once as many more frames were played."""
        goal = self.played + frames
        wait_until(lambda: self.played >= goal or bool(self.failed), timeout_s, f"{frames} more frames")

    async def play(self) -> None:
        """Play, some frames in flight at any time, until asked to stop; then answer for those in flight."""
        try:
            async with connect(self.url) as connection:
                for frame in range(IN_FLIGHT):
                    await self._ask(connection, frame)
                frame = IN_FLIGHT
                while not self._stopping.is_set():
                    await self._receive(connection)
                    await self._ask(connection, frame)
                    frame += 1
                for _ in range(IN_FLIGHT):
                    await self._receive(connection)
        except Exception as exc:
            self.failed.append(repr(exc))

    async def _ask(self, connection: ClientConnection, frame: int) -> None:
        await connection.send(bytes([len(MODEL)]) + MODEL + struct.pack("<I", frame % FRAME_COUNT))

    async def _receive(self, connection: ClientConnection) -> None:
        answer = await asyncio.wait_for(connection.recv(), ANSWER_TIMEOUT_S)
        if isinstance(answer, bytes) and answer.startswith(JPEG):
            self.played += 1
        else:
            self.failed.append(str(answer))


@contextlib.contextmanager
def playing(url: str) -> Iterator[Player]:
    """Play while the block runs; afterwards every frame asked for has had its answer."""
    player = Player(url)
    thread = threading.Thread(target=lambda: asyncio.run(player.play()))
    thread.start()
    try:
        yield player
    finally:
        player.stop()
        thread.join()
