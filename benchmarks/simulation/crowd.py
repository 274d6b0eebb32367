"""Real WebSocket clients that take refusals for answers: callers without pause, and an offered rate."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence

from websockets.frames import Frame, Opcode

from benchmarks.simulation.outcome import Outcome
from benchmarks.websocket import ClientSocket, opened

__all__ = ["Asker", "call_without_pause", "offer"]

Answered = Callable[["Asker", str, float], None]
"""Takes who was answered, ``ok`` or the error's code, and when the request was due."""


class Asker(ClientSocket):
    """One client: asks, and is told how each request was answered; answers come in order."""

    def __init__(self, port: int, answered: Answered) -> None:
        super().__init__(port, "/ws")
        self._answered = answered
        self._due_s: deque[float] = deque()

    def ask(self, message: bytes, due_s: float) -> None:
        """Send a request that is due at a time of the event loop's clock."""
        self._due_s.append(due_s)
        self.send(message)

    def take(self, message: Frame) -> None:
        """Take an answer."""
        is_picture = message.opcode is Opcode.BINARY
        code = "ok" if is_picture else str(json.loads(bytes(message.data))["code"])
        self._answered(self, code, self._due_s.popleft())


async def call_without_pause(
    port: int, callers: int, messages: Sequence[bytes], seconds: float, warm_s: float = 0.5
) -> Outcome:
    """Have each caller ask for the next frame as soon as it has an answer; as ``load.callers``.

    Raises:
        LoadFailed: If a connection fails.
    """
    loop, outcome = asyncio.get_running_loop(), Outcome(seconds)
    begin_s, turns = 0.0, iter(range(1 << 62))

    def answered(asker: Asker, code: str, due_s: float) -> None:
        now_s = loop.time()
        if begin_s <= now_s < begin_s + seconds:
            outcome.asked += 1
            outcome.note(code, now_s - due_s)
        asker.ask(messages[next(turns) % len(messages)], now_s)

    async with opened(port, [lambda: Asker(port, answered)] * callers) as askers:
        begin_s = loop.time() + warm_s
        for asker in askers:
            asker.ask(messages[next(turns) % len(messages)], loop.time())
        await _watched(askers, warm_s + seconds)
    return outcome


async def offer(
    port: int, clients: int, messages: Sequence[bytes], rate: float, seconds: float, warm_s: float = 1.5
) -> Outcome:
    """Have so many frames a second asked for, whatever becomes of them, by clients in turn; as ``load.offered``.

    Raises:
        LoadFailed: If a connection fails.
    """
    loop, outcome = asyncio.get_running_loop(), Outcome(seconds)
    begin_s = 0.0

    def answered(_: Asker, code: str, due_s: float) -> None:
        if begin_s <= loop.time() < begin_s + seconds:
            outcome.note(code, loop.time() - due_s)

    async with opened(port, [lambda: Asker(port, answered)] * clients) as askers:
        start_s = loop.time()
        begin_s = start_s + warm_s
        for turn in range(round(rate * (warm_s + seconds))):
            due_s = start_s + turn / rate
            await asyncio.sleep(due_s - loop.time())
            outcome.asked += due_s >= begin_s
            askers[turn % clients].ask(messages[turn % len(messages)], due_s)
        await _watched(askers, begin_s + seconds - loop.time())
    return outcome


async def _watched(askers: Sequence[Asker], seconds: float) -> None:
    """Wait, unless a connection fails."""
    done, _ = await asyncio.wait(
        [asker.failed for asker in askers], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
    )
    for failed in done:
        failed.result()
