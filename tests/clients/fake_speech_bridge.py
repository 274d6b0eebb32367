"""A bridge stand-in for tests of live speech: a real WebSocket server on port 0 whose avatars are behaviours.

=========== ==============================================================================================
avatar      what it does
=========== ==============================================================================================
echo        a picture for every 40 ms of sound, 452.5 ms later: its grey is the sound's peak there
skips       as echo, but leaves out pictures 3, 4 and the last one of the first utterance
quiet       starts, hears everything, and says nothing
mute        does not even start
overloaded  refuses: no room
unknown     refuses: no such avatar
deaf        refuses: it cannot hear
away        refuses: no Triton answers it
dies        drops the connection at the first sound
ends        ends the session at the first sound, with a fatal error
babbles     answers the first sound with a message that is no picture
futuristic  as echo, among events and pictures of kinds that are not known yet
=========== ==============================================================================================

There is no clock: with any pacing, pictures come as sound does. ``GET /full_frames/<avatar>/<id>.jpg`` answers every
avatar's full frames: ``full_frame(id)``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import ssl
import struct
from collections import Counter
from http import HTTPStatus
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

__all__ = ["BORDER", "BOUNDS", "FRAME_COUNT", "PICTURE_SIZE", "FakeSpeechBridge", "full_frame", "grey_jpeg"]

FRAME_COUNT = 5
PICTURE_SIZE = 32
BORDER = 4
BOUNDS = (20, 10, 60, 50)
FULL_SIZE = (70, 91)  # height, width: one of them odd
LOOK_AHEAD_MS = 452.5
DTYPES = {"s16le": "<i2", "f32le": "<f4"}
REFUSALS = {
    "overloaded": ("overloaded", "expected room for one more live session, got 1 sessions already"),
    "unknown": ("unknown_model", "expected the name of a loaded model, got 'unknown'"),
    "deaf": ("cannot_hear", "expected an avatar that can be spoken to, got 'deaf'"),
    "away": ("unavailable", "expected a Triton to answer, got none (0 of 1 ready)"),
}
SKIPPED = (3, 4)
SUBPROTOCOL = Subprotocol("lipsync.speech.v1")


def full_frame(frame_id: int) -> NDArray[np.uint8]:
    """Return a full frame, 70x91x3: one colour, bluer by 20 with each frame."""
    return np.full((*FULL_SIZE, 3), (20 * frame_id, 60, 120), np.uint8)


def grey_jpeg(grey: int) -> bytes:
    """Return a picture of one grey as a JPEG."""
    return _jpeg(np.full((PICTURE_SIZE, PICTURE_SIZE, 3), grey, np.uint8))


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


class FakeSpeechBridge:
    """``async with FakeSpeechBridge() as bridge: connect_speech(bridge.url, "echo")``.

    Args:
        held_ms: How much sound may wait for its pictures; more ends the session.
        subprotocol: What it says that it speaks.
        tls: For an encrypted server.

    Attributes:
        url: Its URL, once entered.
        starts: The first message of each session.
        heard: What the last session was sent: bytes of sound, and the type of each control message.
        full_frames: How often each full frame was asked for.
        shown: What requests said in ``Authorization``.
        closed: Set when a session's connection is closed.
        most_held_s: The most sound that waited at any time.
        has_heard: Set when a message was taken in.
    """

    def __init__(
        self,
        held_ms: float = 60_000,
        subprotocol: Subprotocol | None = SUBPROTOCOL,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.held_ms = held_ms
        self.url = ""
        self.starts: list[dict[str, Any]] = []
        self.heard: list[bytes | str] = []
        self.full_frames: Counter[int] = Counter()
        self.shown: list[str | None] = []
        self.closed = asyncio.Event()
        self.has_heard = asyncio.Event()
        self.most_held_s = 0.0
        self._subprotocol = subprotocol
        self._tls = tls
        self._server: Server

    async def __aenter__(self) -> FakeSpeechBridge:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            select_subprotocol=lambda *_: self._subprotocol,
            process_request=self._answer,
            compression=None,
            ssl=self._tls,
        )
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.shown.append(request.headers.get("Authorization"))
        if request.path == "/speech":
            return None
        match = re.fullmatch(r"/full_frames/[^/]+/(\d+)\.jpg", request.path)
        if match is None or int(match[1]) >= FRAME_COUNT:
            body = json.dumps({"type": "error", "code": "not_found", "error": f"no {request.path}"}).encode()
            return _response(HTTPStatus.NOT_FOUND, body)
        self.full_frames[int(match[1])] += 1
        return _response(HTTPStatus.OK, _jpeg(full_frame(int(match[1]))))

    async def _serve(self, websocket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            start = json.loads(await websocket.recv())
            self.starts.append(start)
            await _Session(self, websocket, start).run()
        await websocket.wait_closed()
        self.closed.set()


class _Session:
    """One session; the samples of sound are counted at the client's rate."""

    def __init__(self, bridge: FakeSpeechBridge, websocket: ServerConnection, start: dict[str, Any]) -> None:
        self._bridge = bridge
        self._websocket = websocket
        self._avatar = start["avatar"]
        self._rate = start.get("sample_rate", 16_000)
        self._frame_samples = self._rate / 25
        self._dtype = np.dtype(DTYPES[start.get("format", "s16le")])
        self._sound = np.zeros(0, self._dtype)
        self._first_sample = 0
        self._given = 0
        self._sent = 0
        self._number = 0
        self._epoch = 0

    async def run(self) -> None:
        if self._avatar in REFUSALS:
            await self._fail(*REFUSALS[self._avatar])
            return
        if self._avatar == "mute":
            return
        await self._say("started", **self._started())
        self._bridge.heard = []
        async for message in self._websocket:
            self._bridge.heard.append(message if isinstance(message, bytes) else json.loads(message)["type"])
            self._bridge.has_heard.set()
            if isinstance(message, bytes):
                await self._hear(message)
            elif self._avatar != "quiet":
                await self._obey(json.loads(message))

    def _started(self) -> dict[str, Any]:
        return {
            "session": "fake",
            "avatar": self._avatar,
            "epoch": 0,
            "fps": 25.0,
            "frame_count": FRAME_COUNT,
            "width": PICTURE_SIZE,
            "height": PICTURE_SIZE,
            "border": BORDER,
            "sample_rate": self._rate,
            "samples_per_frame": self._frame_samples,
            "look_ahead_ms": LOOK_AHEAD_MS,
            "lead_ms": 0.0,
            "held_ms": self._bridge.held_ms,
        }

    async def _hear(self, content: bytes) -> None:
        if self._avatar == "dies":
            self._websocket.transport.abort()
        elif self._avatar == "ends":
            await self._fail("internal", "expected an answer of Triton, got an internal error")
        elif self._avatar == "babbles":
            await self._websocket.send(b"\x01" * 47)
        self._sound = np.concatenate([self._sound, np.frombuffer(content, self._dtype)])
        held_s = (len(self._sound) - self._given * self._frame_samples) / self._rate
        self._bridge.most_held_s = max(self._bridge.most_held_s, held_s)
        if held_s > self._bridge.held_ms / 1000:
            await self._fail("too_much_sound", f"expected less sound, got {held_s:.1f} s")
        elif self._avatar != "quiet":
            await self._show(LOOK_AHEAD_MS * self._rate / 1000)

    async def _obey(self, message: dict[str, Any]) -> None:
        if message["type"] == "end":
            count = len(self._sound)
            await self._show(0, is_last=True)
            samples, pictures = self._first_sample + count, self._sent
            skipped = -(-count // int(self._frame_samples)) - pictures
            self._begin_anew(samples)
            await self._say("ended", epoch=self._epoch, samples=samples, pictures=pictures, skipped=skipped)
        elif message["type"] == "interrupt":
            self._epoch += 1
            self._begin_anew(self._first_sample + len(self._sound))
            await self._say("interrupted", epoch=self._epoch, sample=None, number=self._number)
            await self._send_picture(8, -1, 0)
        elif message["type"] == "ping":
            await self._say("pong", id=None)

    def _begin_anew(self, first_sample: int) -> None:
        self._first_sample, self._given, self._sent = first_sample, 0, 0
        self._sound = self._sound[:0]

    async def _show(self, look_ahead: float, is_last: bool = False) -> None:
        """Send the pictures whose sound is there."""
        count = -(-len(self._sound) // int(self._frame_samples))
        while self._given < count:
            first = round(self._given * self._frame_samples)
            if not is_last and first + look_ahead > len(self._sound):
                return
            await self._show_one(first, is_last and self._given == count - 1)
            self._given += 1

    async def _show_one(self, first: int, is_last: bool) -> None:
        if self._given == 0:
            sample = self._first_sample + first
            await self._say("speaking", epoch=self._epoch, number=self._number, sample=sample)
        if self._avatar == "futuristic":
            await self._say("weather", outlook="sunny")
            await self._websocket.send(struct.pack("<BB46x", 1, 2))
        if self._avatar == "skips" and (self._given in SKIPPED or is_last):
            self._number += 1
            return
        piece = self._sound[first : first + round(self._frame_samples)].astype(np.float64)
        full_scale = 32768 if self._dtype.kind == "i" else 1
        flags = 1 | (2 if self._given == 0 else 0) | (4 if is_last else 0)
        await self._send_picture(
            flags, self._first_sample + first, int(np.abs(piece).max() / full_scale * 255)
        )
        self._sent += 1

    async def _send_picture(self, flags: int, sample: int, grey: int) -> None:
        place = self._number % (2 * FRAME_COUNT - 2)
        frame_id = min(place, 2 * FRAME_COUNT - 2 - place)
        header = struct.pack(
            "<BBHIIIq4ii4x", 1, 1, flags, self._epoch, self._number, frame_id, sample, *BOUNDS, BORDER
        )
        self._number += 1
        await self._websocket.send(header + grey_jpeg(grey))

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._websocket.send(json.dumps({"type": kind, **fields}))

    async def _fail(self, code: str, error: str) -> None:
        await self._say("error", code=code, error=error, fatal=True, session="fake")
        await self._websocket.close(1008, code)


def _response(status: HTTPStatus, body: bytes) -> Response:
    headers = Headers([("Content-Length", str(len(body))), ("Connection", "close")])
    return Response(status, status.phrase, headers, body)
