"""Many callers from addresses of their own, cheap enough to share two cores with what they press."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from websockets.frames import Frame

from benchmarks.websocket import CONNECT_LIMIT_S, JPEG_START, ClientSocket, frame_message

__all__ = ["Answers", "Caller", "addresses", "callers", "offer", "one_after_another"]

TICK_S = 0.005


@dataclass
class Answers:
    """What came; times are the event loop's.

    Attributes:
        good: When each picture came, and how many seconds after it was due.
        errors: How often each code came.
    """

    good: list[tuple[float, float]] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def latencies_s(self, begin_s: float = 0.0) -> list[float]:
        """Return how long each picture took that came since then."""
        return [latency_s for came_s, latency_s in self.good if came_s >= begin_s]


class Caller(ClientSocket):
    """One WebSocket client: asks, and takes whatever comes as the answer.

    Attributes:
        answers: Where its answers are noted, with those of others.
    """

    def __init__(self, port: int, answers: Answers, answered: Callable[[Caller], None] | None = None) -> None:
        super().__init__(port, "/ws")
        self.answers = answers
        self._answered = answered
        self._due_s: deque[float] = deque()

    def ask(self, message: bytes, due_s: float) -> None:
        """Ask for a frame that was due then."""
        self._due_s.append(due_s)
        self.send(message)

    def take(self, message: Frame) -> None:
        """Note an answer."""
        now_s, due_s = asyncio.get_running_loop().time(), self._due_s.popleft()
        if bytes(message.data[:2]) == JPEG_START:
            self.answers.good.append((now_s, now_s - due_s))
        else:
            self.answers.errors[json.loads(bytes(message.data))["code"]] += 1
        if self._answered is not None:
            self._answered(self)


def addresses(count: int, first: int = 10) -> list[str]:
    """Return addresses of this machine's loopback, each of which is a client of its own to the bridge."""
    return [f"127.0.0.{first + index}" for index in range(count)]


@contextlib.asynccontextmanager
async def callers(
    port: int, sources: Iterable[str], answers: Answers, answered: Callable[[Caller], None] | None = None
) -> AsyncIterator[list[Caller]]:
    """Connect one caller from each address, and drop them at the end."""
    loop, sockets = asyncio.get_running_loop(), []
    try:
        for source in sources:
            _, socket = await loop.create_connection(
                lambda: Caller(port, answers, answered), "127.0.0.1", port, local_addr=(source, 0)
            )
            sockets.append(socket)
            await asyncio.wait_for(socket.open.wait(), CONNECT_LIMIT_S)
        yield sockets
    finally:
        for socket in sockets:
            socket.close()
            socket.failed.cancel()


async def offer(
    sockets: Sequence[Caller], messages: Sequence[bytes], frames_per_s: float, duration_s: float
) -> int:
    """Ask for frames at a rate, whatever comes of it, each caller in turn; return how many were asked for."""
    loop = asyncio.get_running_loop()
    start_s, asked = loop.time(), 0
    while (elapsed_s := loop.time() - start_s) < duration_s:
        while asked < elapsed_s * frames_per_s:
            due_s = start_s + asked / frames_per_s
            sockets[asked % len(sockets)].ask(messages[asked % len(messages)], due_s)
            asked += 1
        await asyncio.sleep(TICK_S)
    return asked


async def one_after_another(
    port: int, avatar: str, frame_count: int, at_once: int, duration_s: float
) -> Answers:
    """Keep so many frames in flight for a while, each from a client of its own; return what came."""
    loop, turns, answers = asyncio.get_running_loop(), itertools.cycle(range(frame_count)), Answers()

    def again(caller: Caller) -> None:
        caller.ask(frame_message(avatar, next(turns)), loop.time())

    async with callers(port, addresses(at_once), answers, again) as sockets:
        for socket in sockets:
            again(socket)
        await asyncio.sleep(duration_s)
    return answers
