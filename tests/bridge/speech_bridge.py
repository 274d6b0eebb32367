"""A bridge stand-in for tests of the page's tab for live speech: its protocol without any network behind it.

========= =====================================================================
avatar    what it does
========= =====================================================================
echo      paints a spoken picture as soon as its sound and what it looks ahead are there
gaps      the same, but leaves pictures 5 to 9 of an utterance out
stalls    the same, but holds all after picture 10 back until ``release`` is set
rude      the same, and sends pictures of the old epoch after an interrupt
loses     the same, but leaves all after picture 10 out
full      has no room
deaf      cannot hear
========= =====================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from bridge.http import STATIC_FOLDER, load_static_files
from bridge.live.clip import frame_at
from bridge.live.wire import NO_SAMPLE, Flags, Packet
from speech.wav import encode_wav

__all__ = [
    "FPS",
    "FRAME_COUNT",
    "LOOK_AHEAD_S",
    "SILENT_GREY",
    "SPOKEN_GREY",
    "FakeSession",
    "SpeechBridge",
    "tone",
]

FPS = 25
FRAME_COUNT = 20
LOOK_AHEAD_S = 0.4525
LEAD_PICTURES = 50
SIZE = 40
BORDER = 5
BOUNDS = (30, 20, 130, 120)
"""Twice the crop's native size of 50 pixels: so the picture lies from 40 to 120, and from 30 to 110."""

SILENT_GREY = 40
SPOKEN_GREY = 200
WAIT_S = 20.0
ERRORS = {"full": ("overloaded", "no room"), "deaf": ("cannot_hear", "no encoder")}


def grey_jpeg(grey: int, height: int = SIZE, width: int = SIZE) -> bytes:
    return cv2.imencode(".jpg", np.full((height, width, 3), grey, np.uint8))[1].tobytes()


class FakeSession:
    """One session.

    Attributes:
        start: The client's first message.
        pcm: All sound that came.
        controls: The types of all other messages that came, but for pings.
    """

    def __init__(self, websocket: ServerConnection, bridge: SpeechBridge) -> None:
        self.websocket = websocket
        self.start: dict[str, Any] = {}
        self.pcm = bytearray()
        self.controls: list[str] = []
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._start_s = self._loop.time()
        self._epoch = 0
        self._next = 0
        self._first_sample = 0
        self._spoken = 0
        self._ended = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        self.start = json.loads(await self.websocket.recv())
        if error := ERRORS.get(self.start["avatar"]):
            await self._say("error", code=error[0], error=error[1], fatal=True, session="s")
            return
        rate = self.start["sample_rate"]
        self._samples_per_frame = rate / FPS
        self._start_s = self._loop.time()
        await self._say(
            "started", session="s", avatar=self.start["avatar"], epoch=0, fps=FPS, frame_count=FRAME_COUNT,
            width=SIZE, height=SIZE, border=BORDER, sample_rate=rate, samples_per_frame=self._samples_per_frame,
            look_ahead_ms=LOOK_AHEAD_S * 1000, lead_ms=2000, held_ms=60_000,
        )  # fmt: skip
        reader = asyncio.create_task(self._read())
        try:
            while not reader.done():
                for message in self._messages():
                    await self.websocket.send(message)
                self._changed.clear()
                await self._bridge.notify()
                next_s = self._start_s + (self._due + 1) / FPS
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), next_s - self._loop.time())
            reader.result()
        finally:
            reader.cancel()

    async def _read(self) -> None:
        async for message in self.websocket:
            if isinstance(message, bytes):
                if self._ended:
                    self._begin()
                self.pcm += message
            elif (kind := json.loads(message)["type"]) != "ping":
                self.controls.append(kind)
                if kind == "end":
                    self._ended = True
                if kind == "interrupt":
                    await self._interrupt()
            self._changed.set()

    async def _interrupt(self) -> None:
        if self.start["avatar"] == "rude":
            for message in [self._picture(Flags.SPEECH, self._first_sample) for _ in range(3)]:
                await self.websocket.send(message)
        self._epoch += 1
        self._begin()
        self._next = self._due + 1
        await self._say("interrupted", epoch=self._epoch, sample=None, number=self._next)

    def _begin(self) -> None:
        self._first_sample = len(self.pcm) // 2
        self._spoken = 0
        self._ended = False

    @property
    def _due(self) -> int:
        return int((self._loop.time() - self._start_s) * FPS)

    @property
    def _frame_count(self) -> int:
        """How many pictures the utterance has by now."""
        samples = len(self.pcm) // 2 - self._first_sample
        if self._ended:
            return round(samples / self._samples_per_frame)
        ready = samples - LOOK_AHEAD_S * self.start["sample_rate"]
        return max(0, int(ready / self._samples_per_frame))

    def _messages(self) -> Iterator[str | bytes]:
        yield from self._spoken_messages()
        if self._spoken and (not self._ended or self._spoken < self._frame_count):
            return
        while self._next <= self._due:
            yield self._picture(Flags.SILENT, NO_SAMPLE)

    def _spoken_messages(self) -> Iterator[str | bytes]:
        avatar = self.start["avatar"]
        while self._spoken < self._frame_count and self._next <= self._due + LEAD_PICTURES:
            if avatar == "stalls" and self._spoken == 10 and not self._bridge.release.is_set():
                return
            if avatar == "loses" and self._spoken == 10:
                return
            if self._spoken == 0:
                while self._next < self._due + 2:
                    yield self._picture(Flags.SILENT, NO_SAMPLE)
                yield self._event("speaking", number=self._next, sample=self._first_sample)
            flags = Flags.SPEECH | (Flags.FIRST if self._spoken == 0 else 0)
            sample = self._first_sample + round(self._spoken * self._samples_per_frame)
            self._spoken += 1
            if avatar == "gaps" and 5 < self._spoken <= 10:
                self._next += 1
                continue
            is_last = self._ended and self._spoken == self._frame_count
            yield self._picture(flags | (Flags.LAST if is_last else 0), sample)
            if is_last:
                yield self._event("ended", samples=len(self.pcm) // 2, pictures=self._spoken, skipped=0)
                yield self._event("idle", number=self._next, reason="ended")

    def _picture(self, flags: int, sample: int) -> bytes:
        number = self._next
        self._next += 1
        frame_id = frame_at(number, FRAME_COUNT)
        grey = SILENT_GREY if sample == NO_SAMPLE else SPOKEN_GREY
        return Packet(
            Flags(flags), self._epoch, number, frame_id, sample, BOUNDS, BORDER, grey_jpeg(grey)
        ).encode()

    def _event(self, kind: str, **fields: object) -> str:
        return json.dumps({"type": kind, "epoch": self._epoch, **fields})

    async def _say(self, kind: str, **fields: object) -> None:
        await self.websocket.send(json.dumps({"type": kind, **fields}))


class SpeechBridge:
    """Serves the page and its sessions: ``async with SpeechBridge("echo") as bridge: goto(bridge.url)``.

    Args:
        avatars: Those that are loaded; their names are behaviours.
        port: Port to listen on; 0 takes a free one.

    Attributes:
        url: Address of the page's tab.
        sessions: All that began, the last one last.
        frame_requests: Paths of the full frames that were fetched, in order.
        release: Lets ``stalls`` go on.
    """

    def __init__(self, *avatars: str, port: int = 0) -> None:
        self.url = ""
        self.port = port
        self.sessions: list[FakeSession] = []
        self.frame_requests: list[str] = []
        self.release = asyncio.Event()
        self._avatars = avatars
        self._files = load_static_files(STATIC_FOLDER)
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> SpeechBridge:
        self._server = await serve(
            self._accept,
            "127.0.0.1",
            self.port,
            process_request=self._respond,
            select_subprotocol=select_subprotocol,
            compression=None,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/#speak"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return once it holds; it is looked at with each thing that happens in a session."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(condition), WAIT_S)

    async def notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _accept(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        with contextlib.suppress(ConnectionClosed):
            if not websocket.request.path.startswith("/speech"):
                await websocket.wait_closed()
                return
            session = FakeSession(websocket, self)
            self.sessions.append(session)
            await session.run()
        await self.notify()

    async def _respond(self, connection: ServerConnection, request: Request) -> Response | None:
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return None
        path = request.path.split("?")[0]
        if path.startswith("/full_frames/"):
            self.frame_requests.append(path)
            return response("image/jpeg", grey_jpeg(255, 160, 200))
        if path == "/models":
            models = [
                {"name": name, "frame_count": FRAME_COUNT, "fps": FPS, "face_size": 320}
                for name in self._avatars
            ]
            return response("application/json", json.dumps({"models": models}).encode())
        if path.startswith("/audio/"):
            return response("audio/wav", encode_wav(tone(2.0, 16_000).tobytes()))
        if file := self._files.get(path):
            return response(file.content_type, file.content)
        return response("text/plain", b"", 404)


def select_subprotocol(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Speak what the page offers first, as the bridge does: browsers want one of those they offer."""
    return offered[0] if offered else None


def tone(length_s: float, rate: int) -> np.ndarray:
    """Return a loud tone, int16, no two neighbouring milliseconds of which are alike."""
    times = np.arange(round(length_s * rate)) / rate
    return (12_000 * np.sin(2 * np.pi * (200 + 40 * times) * times)).astype(np.int16)


def response(content_type: str, body: bytes, status: int = 200) -> Response:
    headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    return Response(status, "OK", Headers(headers), body)
