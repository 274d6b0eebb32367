"""One WebSocket connection: requests are answered side by side and their answers sent in request order.

Reader → a window of at most ``max_inflight`` tasks → writer. While the window is full nothing is read, so a
client that floods, or does not read its answers, is slowed down by TCP and costs a fixed amount of memory. Of all its
connections together a client has a limited number of requests in flight, too, but each may always have one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from bridge.answer import Answerer, Message
from bridge.config import BridgeConfig
from bridge.front.limits import Limit
from bridge.front.websocket import WebSocket
from bridge.metrics import Metrics

__all__ = ["Session"]

IDLE = "idle"
"""The reason that a connection is closed with whose client asked for nothing; the page connects again."""

IDLE_STEP_S = 0.05

Task = asyncio.Task[Any]

logger = logging.getLogger(__name__)


class Session:
    """One connection: ``await Session(...).run()`` returns when it has ended.

    However it ends, its requests in flight are cancelled, and so give back their upstreams.

    Attributes:
        requests: How many were read so far; each one's id is the connection's with this number.
    """

    def __init__(
        self,
        websocket: WebSocket,
        answerer: Answerer,
        config: BridgeConfig,
        metrics: Metrics,
        requests: Limit,
        connection_id: str,
    ) -> None:
        self._websocket = websocket
        self._answerer = answerer
        self._metrics = metrics
        self._connection_id = connection_id
        self.requests = 0
        self._send_timeout_s = config.send_timeout_s
        self._idle_timeout_s = config.idle_timeout_s
        self._limit = requests
        self._taken = 0
        self._unanswered = 0
        self._all_answered = asyncio.Event()
        self._window = asyncio.Semaphore(config.max_inflight)
        self._answers: asyncio.Queue[asyncio.Task[Message]] = asyncio.Queue()  # bounded by the window
        self._draining = asyncio.Event()
        self._last_request_s = 0.0
        self._idle = asyncio.Event()
        self._watching: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Serve the connection until the client leaves or, after ``drain``, all it asked is answered."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        drain = asyncio.create_task(self._draining.wait())
        # reader and writer do not notice a lost connection while they wait for Triton
        gone = asyncio.create_task(self._websocket.wait_closed())
        idle = asyncio.create_task(self._idle.wait())
        self._last_request_s = asyncio.get_running_loop().time()
        self._watch()
        self._metrics.connections.inc()
        try:
            await asyncio.wait({reader, writer, drain, gone, idle}, return_when=asyncio.FIRST_COMPLETED)
            if drain.done():
                await self._finish(reader, writer, gone)
            elif idle.done():
                await self._websocket.close(CloseCode.NORMAL_CLOSURE, IDLE)
        finally:
            self._metrics.connections.dec()
            if self._watching is not None:
                self._watching.cancel()
            await self._cancel(reader, writer, drain, gone, idle)
            self._give_back(self._taken)

    def drain(self) -> None:
        """Read no more, answer what was read, then close with 1001 (going away)."""
        self._draining.set()

    def abort(self) -> None:
        """Drop the connection at once, whatever is still to be sent."""
        self._websocket.transport.abort()

    async def _read(self) -> None:
        try:
            while True:
                # before recv: a message is never read without being answered
                await self._window.acquire()
                await self._take_one()
                message = await self._websocket.recv()
                self._last_request_s = asyncio.get_running_loop().time()
                self._unanswered += 1
                self.requests += 1
                answering = self._answerer.answer(message, f"{self._connection_id}-{self.requests}")
                self._answers.put_nowait(asyncio.create_task(answering))
                self._metrics.requests_inflight.inc()
                del message, answering  # a long one would be kept until the next one comes
        except ConnectionClosed:
            return

    async def _write(self) -> None:
        try:
            while True:
                answer = await self._answers.get()
                try:
                    await self._send(await answer)
                finally:
                    self._metrics.requests_inflight.dec()
                    self._answers.task_done()
                self._unanswered -= 1
                if not self._unanswered:
                    self._all_answered.set()
                self._give_back(self._taken - self._unanswered)
                self._window.release()
        except ConnectionClosed:
            return

    async def _take_one(self) -> None:
        """Wait until the client may have one more request in flight, or this connection has none."""
        if not self._unanswered:
            return
        if not self._limit.try_take(self._websocket.client):
            self._all_answered.clear()
            taking = asyncio.create_task(self._limit.wait_and_take(self._websocket.client))
            answered = asyncio.create_task(self._all_answered.wait())
            try:
                await asyncio.wait({taking, answered}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                taking.cancel()
                answered.cancel()
                await asyncio.gather(taking, answered, return_exceptions=True)
                self._taken += not taking.cancelled()
            return
        self._taken += 1

    def _give_back(self, count: int) -> None:
        for _ in range(count):
            self._taken -= 1
            self._limit.give_back(self._websocket.client)

    def _watch(self) -> None:
        """Set ``_idle`` once the client has asked for nothing for too long."""
        loop = asyncio.get_running_loop()
        left_s = self._last_request_s + self._idle_timeout_s - loop.time()
        if left_s > 0 or self._unanswered:
            self._watching = loop.call_later(max(left_s, IDLE_STEP_S), self._watch)
        else:
            self._idle.set()

    async def _send(self, message: Message) -> None:
        # a timer costs a tenth of what wait_for does, per frame; send returns or raises when it fires
        deadline = asyncio.get_running_loop().call_later(self._send_timeout_s, self.abort)
        try:
            await self._websocket.send(message)
        finally:
            deadline.cancel()
        self._metrics.sent_bytes.inc(len(message))

    async def _finish(self, reader: Task, writer: Task, gone: Task) -> None:
        reader.cancel()
        await asyncio.wait({reader})
        answered = asyncio.create_task(self._answers.join())
        try:
            await asyncio.wait({answered, writer, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answered.cancel()
        await self._websocket.close(CloseCode.GOING_AWAY)

    async def _cancel(self, *tasks: Task) -> None:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        unanswered = []
        while not self._answers.empty():
            unanswered.append(self._answers.get_nowait())
            unanswered[-1].cancel()
            self._metrics.requests_inflight.dec()
        await asyncio.gather(*unanswered, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                logger.error("a bug: a connection ended with a foreign exception", exc_info=result)
