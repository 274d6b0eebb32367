"""One TCP connection of a client: one HTTP request with its answer, or a WebSocket.

What arrives waits for its turn, at most PENDING_BYTES of it; meanwhile nothing more is read, and TCP holds the client
back. A WebSocket's input goes to the library in slices, none while answers wait to be sent or messages to be read, and
a message longer than FREE_BYTES only where there is room for such. What follows a plain request goes nowhere: every
answer says ``Connection: close``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

from websockets.http11 import Response

from bridge import request_id
from bridge.access.client import Client, counted_as
from bridge.errors import BridgeError
from bridge.front.head import Head, read_head
from bridge.front.limits import Budget
from bridge.front.read_turns import ReadTurns, Taker
from bridge.front.websocket import Input, WebSocket

__all__ = ["FREE_BYTES", "MAX_MESSAGE_BYTES", "PENDING_BYTES", "Connection", "Shared"]

PENDING_BYTES = 16 << 10
SMALL_SLICE_BYTES = 256
LARGE_SLICE_BYTES = 8 << 10
MANY_FRAMES = 8
TURN_COST = 2.0
BYTES_OF_COST = 4096.0
HEAD_COST = 3.0

FREE_BYTES = 64 << 10
"""What each connection may hold of its input; longer messages come out of what all share."""

MAX_MESSAGE_BYTES = 1 << 20
"""Beyond this a message is not even read, and its connection closed with 1009; below, it gets its answer."""

BODY_SLICE_BYTES = 64 << 10
LINGER_S = 2.0

logger = logging.getLogger(__name__)


Answer = Coroutine[Any, Any, Response]


class Shared(Protocol):
    """What all connections share; see ``Front``."""

    turns: ReadTurns
    budget: Budget
    buffer: memoryview
    head_timeout_s: float
    send_timeout_s: float

    def add(self, connection: Connection) -> None:
        """Have a connection that was just made."""

    def remove(self, connection: Connection) -> None:
        """Have it no more."""

    def is_handshake(self, head: Head) -> bool:
        """Return whether a WebSocket is to be opened."""

    def admit(self, head: Head, connection: Connection) -> Answer | None:
        """Let it be opened, or return the answer that says why not."""

    def answer(self, head: Head, connection: Connection) -> Answer:
        """Return the answer to a plain request."""

    def answer_to(self, error: BridgeError) -> Answer:
        """Return the answer to a request that cannot be read."""

    def start(self, answering: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run what answers a plain request."""


class Connection(asyncio.BufferedProtocol, Taker):
    """One connection, as asyncio calls it.

    Args:
        front: What all connections share.
        protocol: The library's, of a WebSocket.
        new_websocket: Makes the library's connection, for one that turns out to be a WebSocket.

    Attributes:
        client: Who is at the other end.
        path: What the request is for, once it is known.
        is_counted: Whether it counts as one of its client's connections.
    """

    def __init__(self, front: Shared, protocol: Any, new_websocket: Callable[[], WebSocket]) -> None:
        self.protocol = protocol
        self.client = Client("")
        self.path = ""
        self.is_counted = False
        self._front = front
        self._new_websocket = new_websocket
        self._transport: asyncio.Transport
        self._websocket: WebSocket | None = None
        self._answering: asyncio.Task[None] | None = None
        self._pending = bytearray()
        self._slice_bytes = SMALL_SLICE_BYTES
        self._has_room = False
        self._is_held = self._is_reading_paused = self._is_writing_paused = False
        self._is_at_end = self._is_lost = False
        self._writable = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request's head, for a while."""
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self.client = Client(counted_as(str((transport.get_extra_info("peername") or ("",))[0])))
        self.line = self._front.turns.line_of(self.client.address)
        self._set_timer(self._front.head_timeout_s, transport.close)
        self._front.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer that all connections share, until ``buffer_updated``."""
        return self._front.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keep what has arrived until its turn; of what follows a plain request, nothing."""
        if self._answering is not None:
            return
        self._pending += self._front.buffer[:nbytes]
        if len(self._pending) >= PENDING_BYTES and not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()
        self._front.turns.ask(self)

    def eof_received(self) -> bool:
        """Look at what is pending of a WebSocket first; whoever closes does not want an answer any more."""
        self._is_at_end = True
        if self._websocket is None:
            return False
        if (
            not self._pending or not self._transport.can_write_eof()
        ):  # TLS is over as soon as one side says so
            self._websocket.eof_received()
            return False
        self._ask()
        return True

    def pause_writing(self) -> None:
        """Look at no more input while answers wait to be sent."""
        self._is_writing_paused = True
        self._writable.clear()
        if self._websocket is not None:
            self._websocket.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_writing_paused = False
        self._writable.set()
        if self._websocket is not None:
            self._websocket.resume_writing()
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """End what goes on behind it."""
        self._is_lost = True
        self._pending.clear()
        self._set_timer(None)
        self._give_room_back()
        self._front.remove(self)
        if self._websocket is not None:
            # let go of each other: what it holds is freed at once, not when circles are looked for
            websocket, self._websocket = self._websocket, None
            websocket.on_read = _nothing
            websocket.connection_lost(exc)
        if self._answering is not None:
            self._answering.cancel()

    # what the front calls

    @property
    def is_websocket(self) -> bool:
        """Whether it is a WebSocket."""
        return self._websocket is not None

    @property
    def is_idle(self) -> bool:
        """Whether its request is still awaited."""
        return self._websocket is None and self._answering is None

    @property
    def is_quiet(self) -> bool:
        """Whether all that has arrived was looked at."""
        return not self._pending

    def abort(self) -> None:
        """Drop it at once."""
        self._transport.abort()

    def take_turn(self) -> tuple[float, bool]:
        """Look at a little of what has arrived; see ``Taker``."""
        if self._is_lost or self._answering is not None:
            return 0.0, False
        try:
            cost = self._take_head() if self._websocket is None else self._feed(self._websocket)
        except Exception:
            logger.exception("a bug: a connection ended with a foreign exception")
            self.abort()
            return 1.0, False
        if self._is_at_end and not self._pending and self._websocket is not None:
            self._websocket.eof_received()
            self._transport.close()
        elif self._is_reading_paused and len(self._pending) < PENDING_BYTES // 2:
            self._is_reading_paused = False
            self._transport.resume_reading()
        return cost, bool(self._pending) and self._websocket is not None and self._may_feed(self._websocket)

    # plain requests, and handshakes

    def _take_head(self) -> float:
        try:
            head = read_head(self._pending)
        except BridgeError as exc:
            request_id.current.set(request_id.taken_or_new(None))
            self._answer(self._front.answer_to(exc))
            return HEAD_COST
        if head is None:
            return 1.0
        del self._pending[: len(head.content)]
        self._set_timer(None)
        self.path = head.path
        request_id.current.set(request_id.of_http(head.target, head.headers))
        if not self._front.is_handshake(head):
            self._answer(self._front.answer(head, self))
        elif (refusal := self._front.admit(head, self)) is not None:
            self._answer(refusal)
        else:
            self._open(head)
        return HEAD_COST

    def _answer(self, answer: Answer) -> None:
        self._pending.clear()
        self._set_timer(None)
        if self._is_reading_paused:  # a body is read, and dropped: else its sender does not see the answer
            self._is_reading_paused = False
            self._transport.resume_reading()
        self._answering = self._front.start(self._send(answer))

    async def _send(self, answer: Answer) -> None:
        response: Response = await answer
        self._transport.set_write_buffer_limits(BODY_SLICE_BYTES)
        body, response.body = memoryview(response.body), b""
        self._writable.set()
        self._transport.write(response.serialize())
        for start in range(0, len(body), BODY_SLICE_BYTES):
            self._set_timer(self._front.send_timeout_s, self.abort)
            await self._writable.wait()
            self._transport.write(body[start : start + BODY_SLICE_BYTES])
        self._set_timer(self._front.send_timeout_s, self.abort)
        await self._writable.wait()
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._set_timer(LINGER_S, self.abort)
        else:
            self._transport.close()

    # WebSockets

    def _open(self, head: Head) -> None:
        self._websocket = websocket = self._new_websocket()
        websocket.client, websocket.path = self.client, self.path
        websocket.on_read = self._ask
        websocket.connection_made(Input(self._transport, self._hold, self._release))
        websocket.feed(head.content)

    def _feed(self, websocket: WebSocket) -> float:
        cost = 0.0
        while self._pending and cost < TURN_COST and self._may_feed(websocket):
            data = bytes(self._pending[: self._slice_bytes])
            del self._pending[: len(data)]
            frames = websocket.feed(data)
            cost += frames + len(data) / BYTES_OF_COST
            few = frames <= MANY_FRAMES
            self._slice_bytes = min(2 * self._slice_bytes, LARGE_SLICE_BYTES) if few else SMALL_SLICE_BYTES
        if websocket.begun_bytes + websocket.held_bytes < FREE_BYTES:
            self._give_room_back()
        return cost

    def _may_feed(self, websocket: WebSocket) -> bool:
        if self._is_held or self._is_writing_paused or websocket.held_bytes >= FREE_BYTES:
            return False
        if self._has_room or websocket.begun_bytes + LARGE_SLICE_BYTES <= FREE_BYTES:
            return True
        # for all of it at once: if each had a part, all would wait for each other
        self._has_room = self._front.budget.take(MAX_MESSAGE_BYTES, self._ask)
        if self._has_room:
            self._set_timer(self._front.send_timeout_s, self._be_late)
        return self._has_room

    def _give_room_back(self) -> None:
        if self._has_room:
            self._has_room = False
            self._set_timer(None)
            self._front.budget.give_back(MAX_MESSAGE_BYTES)

    def _be_late(self) -> None:
        """Drop who has taken room for a long message and does not send it."""
        if self._websocket is not None and (self._pending or self._websocket.held_bytes):
            self._set_timer(self._front.send_timeout_s, self._be_late)  # it is the bridge that is slow
        else:
            self.abort()

    def _hold(self) -> None:
        self._is_held = True

    def _release(self) -> None:
        self._is_held = False
        self._ask()

    def _ask(self) -> None:
        if self._pending or self._is_at_end or self._has_room:
            self._front.turns.ask(self)

    def _set_timer(self, delay_s: float | None, then: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if delay_s is not None and then is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, then)


def _nothing() -> None:
    """Do nothing."""
