"""One live session on its WebSocket: what comes in goes to the engine, what the engine wants goes to Triton and out.

Three parties meet at the engine: a reader, which feeds it; tasks, one a request, which bring it Triton's answers; and
the pump, which sends what is ready and sleeps until the next picture is due or one of the others wakes it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from websockets.exceptions import ConnectionClosed

from bridge.config import BridgeConfig
from bridge.errors import BadRequest, BridgeError, InternalError, MessageTooLarge
from bridge.front.websocket import WebSocket
from bridge.live.engine import Engine
from bridge.live.errors import BREACHES, IdleTooLong, ShuttingDown, SlowClient, TooMuchSound, close_code
from bridge.live.hub import Hub, Seat
from bridge.live.painter import Painter
from bridge.live.requests import EngineOptions
from bridge.live.wire import Control, End, Interrupt, Ping, Start, encode_error, encode_event, parse_control
from bridge.logs import log_failure
from speech.contract import FPS
from speech.streaming import SoundStream
from speech.utterance import LOOK_AHEAD_VECTORS

__all__ = ["SpeechSession"]

START_TIMEOUT_S = 10.0
LOW_LATENCY_VECTORS = 0
LOOK_AHEAD_MS = 212.5
"""From a frame's start to the last sample of its own vector; each vector more is 40 ms."""

UNPACED_REQUESTS = 4
PICTURE_SIZE = 320
BORDER = 4
MESSAGES_IN_A_ROW = 16
"""After so many of one client, which may all be here at once, the others have their turn."""

logger = logging.getLogger(__name__)


class SpeechSession:
    """One connection: ``await SpeechSession(...).run()`` returns when it has ended, with nothing left behind.

    Attributes:
        requests: Messages read after the first.
    """

    def __init__(self, websocket: WebSocket, hub: Hub, config: BridgeConfig, session_id: str) -> None:
        self._websocket = websocket
        self._hub = hub
        self._config = config
        self._id = session_id
        self._stopping = asyncio.Event()
        self._is_slow = False
        self.requests = 0
        self._engine: Engine
        self._painter: Painter
        self._sound: SoundStream
        self._start: Start

    async def run(self) -> None:
        """Serve the session until the client leaves, an error ends it, or ``drain`` is called."""
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(self._stopping.wait())
        code = "ok"
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                await _cancelled(serving)
                raise ShuttingDown
            serving.result()
        except ConnectionClosed as exc:
            code = self._outcome(exc)
        except BridgeError as exc:
            code = exc.code
            await self._fail(exc)
        except Exception:
            logger.exception("a bug: a live session ended with a foreign exception")
            code = InternalError.code
            await self._fail(InternalError("foreign exception"))
        finally:
            self._hub.metrics.closed.labels(code).inc()
            await _cancelled(serving, stopping)

    def drain(self) -> None:
        """End the session: the bridge is being stopped."""
        self._stopping.set()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._websocket.transport.abort()

    async def _serve(self) -> None:
        self._start = await self._receive_start()
        async with self._hub.seat(self._start, self._websocket.client) as seat:
            loop = asyncio.get_running_loop()
            self._engine = self._new_engine(seat, loop.time())
            self._sound = SoundStream(self._start.sample_rate, self._start.format)
            self._painter = Painter(self._engine, seat.clip, self._start.avatar, self._hub, self._id)
            await self._send(self._started(seat))
            reader = asyncio.create_task(self._read())
            pump = asyncio.create_task(self._pump())
            try:
                done, _ = await asyncio.wait({reader, pump}, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                self._count()
                await _cancelled(reader, pump)
                await self._painter.close()

    async def _receive_start(self) -> Start:
        try:
            message = await asyncio.wait_for(self._websocket.recv(), START_TIMEOUT_S)
        except asyncio.TimeoutError as exc:
            raise IdleTooLong(START_TIMEOUT_S) from exc
        if isinstance(message, bytes):
            raise BadRequest("first message", "start", f"{len(message)} bytes of sound")
        control = self._parse(message)
        if not isinstance(control, Start):
            raise BadRequest("first message", "start", type(control).__name__.lower())
        return control

    def _new_engine(self, seat: Seat, now_s: float) -> Engine:
        start, config = self._start, self._config
        paced = start.pacing == "real_time"
        options = EngineOptions(
            frame_count=seat.metadata.frame_count,
            border=BORDER,
            samples_per_frame=start.sample_rate / FPS,
            paced=paced,
            look_ahead=LOW_LATENCY_VECTORS if start.low_latency else LOOK_AHEAD_VECTORS,
            lead_s=config.speech_lead_s,
            requests=UNPACED_REQUESTS if paced or seat.alone else 1,
        )
        return Engine(options, now_s, seat.clip.pictures)

    def _started(self, seat: Seat) -> str:
        options = self._engine.options
        return encode_event(
            "started",
            session=self._id,
            avatar=self._start.avatar,
            epoch=self._engine.epoch,
            fps=FPS,
            frame_count=seat.metadata.frame_count,
            width=PICTURE_SIZE,
            height=PICTURE_SIZE,
            border=options.border,
            sample_rate=self._start.sample_rate,
            samples_per_frame=options.samples_per_frame,
            look_ahead_ms=LOOK_AHEAD_MS + options.look_ahead * 1000 / FPS,
            lead_ms=options.lead_s * 1000,
            held_ms=self._config.speech_held_s * 1000,
        )

    async def _read(self) -> None:
        timeout_s = self._config.speech_idle_timeout_s
        while True:
            await self._wait_for_room()
            # a timer costs a tenth of what wait_for does, per message
            idle = asyncio.get_running_loop().call_later(
                timeout_s, self._painter.fail, IdleTooLong(timeout_s)
            )
            try:
                message = await self._websocket.recv()
            finally:
                idle.cancel()
            self.requests += 1
            if isinstance(message, bytes):
                self._feed(message)
            else:
                self._control(message)
            del message  # a long one would be kept until the next one comes
            self._painter.wake.set()
            if self.requests % MESSAGES_IN_A_ROW == 0:
                await asyncio.sleep(0)

    async def _wait_for_room(self) -> None:
        """Read no more than is soon answered, nor, without a clock, than is soon shown: TCP holds the client back."""
        while self._painter.is_full or (
            not self._engine.options.paced and self._engine.held_s > self._config.speech_held_s / 2
        ):
            self._painter.progress.clear()
            await self._painter.progress.wait()

    def _feed(self, data: bytes) -> None:
        size = self._sound.bytes_per_sample
        if len(data) % size:
            raise BadRequest("sound", f"whole samples of {size} bytes", f"{len(data)} bytes")
        self._engine.feed(self._sound.feed(data), len(data) // size, self._now_s())
        if self._engine.options.paced and self._engine.held_s > self._config.speech_held_s:
            raise TooMuchSound(self._engine.held_s, self._config.speech_held_s)

    def _parse(self, text: str) -> Control:
        if (size := len(text.encode())) > self._config.max_message_bytes:
            raise MessageTooLarge(size, self._config.max_message_bytes)
        return parse_control(text)

    def _control(self, text: str) -> None:
        control = self._parse(text)
        if isinstance(control, Start):
            raise BadRequest("message", "sound, end, interrupt or ping after start", "another start")
        if isinstance(control, End):
            self._engine.end(self._sound.flush(), self._now_s())
        elif isinstance(control, Interrupt):
            self._sound.flush()
            self._engine.interrupt(self._now_s())
        elif isinstance(control, Ping):
            self._painter.say(encode_event("pong", id=control.id))

    async def _pump(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._painter.wake.clear()
            self._painter.ask(loop.time())
            sent = False
            for message in self._painter.messages(loop.time()):
                await self._send(message)
                sent = True
            if sent:
                self._painter.ask(loop.time())  # it has made room
            self._painter.progress.set()
            self._count()
            wake_s = self._engine.wake_s(loop.time())
            timer = loop.call_at(wake_s, self._painter.wake.set) if wake_s is not None else None
            try:
                await self._painter.wake.wait()
            finally:
                if timer is not None:
                    timer.cancel()

    async def _send(self, message: str | bytes) -> None:
        timer = asyncio.get_running_loop().call_later(self._config.send_timeout_s, self._give_up)
        try:
            await self._websocket.send(message)
        finally:
            timer.cancel()

    def _give_up(self) -> None:
        self._is_slow = True
        logger.info("%s", SlowClient(self._config.send_timeout_s))
        self.abort()

    def _outcome(self, closed: ConnectionClosed) -> str:
        """Return what to count a session as that ended with its connection."""
        if self._is_slow:
            return SlowClient.code
        if closed.sent is None or closed.rcvd_then_sent:
            return "ok"
        return BREACHES.get(closed.sent.code, "ok")

    def _count(self) -> None:
        engine = self._engine
        engine.counts = self._hub.metrics.take(engine.counts, engine.options.paced)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def _fail(self, error: BridgeError) -> None:
        """Say what went wrong, and close."""
        log_failure(error)
        try:
            await self._send(encode_error(error, fatal=True, session=self._id))
            await self._websocket.close(close_code(error), error.code)
        except ConnectionClosed:
            return


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
