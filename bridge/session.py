"""One WebSocket connection: requests are answered side by side and their answers sent in request order.

Reader → a window of at most ``max_inflight`` tasks → writer. While the window is full nothing is read, so a
client that floods, or does not read its answers, is slowed down by TCP and costs a fixed amount of memory.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from bridge.answer import Answerer, Message
from bridge.config import BridgeConfig
from bridge.metrics import Metrics

__all__ = ["Session"]

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
        websocket: ServerConnection,
        answerer: Answerer,
        config: BridgeConfig,
        metrics: Metrics,
        connection_id: str,
    ) -> None:
        self._websocket = websocket
        self._answerer = answerer
        self._metrics = metrics
        self._connection_id = connection_id
        self.requests = 0
        self._send_timeout_s = config.send_timeout_s
        self._window = asyncio.Semaphore(config.max_inflight)
        self._answers: asyncio.Queue[asyncio.Task[Message]] = asyncio.Queue()  # bounded by the window
        self._draining = asyncio.Event()

    async def run(self) -> None:
        """Serve the connection until the client leaves or, after ``drain``, all it asked is answered."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        drain = asyncio.create_task(self._draining.wait())
        # reader and writer do not notice a lost connection while they wait for Triton
        gone = asyncio.create_task(self._websocket.wait_closed())
        self._metrics.connections.inc()
        try:
            await asyncio.wait({reader, writer, drain, gone}, return_when=asyncio.FIRST_COMPLETED)
            if drain.done():
                await self._finish(reader, writer, gone)
        finally:
            self._metrics.connections.dec()
            await self._cancel(reader, writer, drain, gone)

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
                message = await self._websocket.recv()
                self.requests += 1
                answering = self._answerer.answer(message, f"{self._connection_id}-{self.requests}")
                self._answers.put_nowait(asyncio.create_task(answering))
                self._metrics.requests_inflight.inc()
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
                self._window.release()
        except ConnectionClosed:
            return

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
