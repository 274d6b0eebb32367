"""What tests of live sessions share: a client on a socket, the pictures to expect, and whether anything is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from bridge.live.wire import HEADER, HEADER_BYTES, SUBPROTOCOL, Flags
from bridge.server import Bridge
from speech.mel import PRE_EMPHASIS, VECTOR_SAMPLES, window_count, window_starts
from speech.windows import window_indices
from tests.bridge.helpers import WAIT_S, http
from tests.fake_triton import fake_features, fake_live_jpeg

TRIAL_PICTURES = 24
"""Those of the first trial, the only one here."""

OURS = ("SpeechSession.", "Painter.", "SilentClips.", "LiveModels.", "Hub.")


def noise(count: int, seed: int = 0) -> np.ndarray:
    """Return so many samples of noise, int16."""
    return (np.random.default_rng(seed).normal(size=count) * 3_000).astype("<i2")


def as_floats(pcm: np.ndarray) -> np.ndarray:
    """Return int16 samples as float32, -1.0 to 1.0."""
    return pcm.astype(np.float32) / np.float32(32_768)


def offline_windows(samples: np.ndarray) -> np.ndarray:
    """Return the windows, (n, 16, 512), of a whole sound, (S,) float32 at 16 kHz, by the fake's vectors."""
    mel_frames = 1 + max(len(samples), 15 * 200) // 200
    emphasised = samples - np.float32(PRE_EMPHASIS) * np.concatenate([np.zeros(1, np.float32), samples[:-1]])
    padded = np.concatenate([np.zeros(400, np.float32), emphasised, np.zeros(VECTOR_SAMPLES, np.float32)])
    starts = window_starts(mel_frames, window_count(mel_frames)) * 200
    vectors = fake_features(np.stack([padded[start : start + VECTOR_SAMPLES] for start in starts]))
    listed = np.concatenate([vectors[:1], vectors, vectors[-1:]])
    indices = window_indices(-(-len(samples) // 640), len(listed), "zeros")
    return np.concatenate([listed, np.zeros((1, 512), np.float32)])[indices]


@dataclass(frozen=True)
class Picture:
    """A picture as a client receives it."""

    flags: Flags
    epoch: int
    number: int
    frame_id: int
    sample: int
    bounds: tuple[int, ...]
    border: int
    jpeg: bytes


def read_picture(data: bytes) -> Picture:
    """Read a binary message of the bridge."""
    _, _, flags, epoch, number, frame_id, sample, *bounds, border = HEADER.unpack(data[:HEADER_BYTES])
    return Picture(Flags(flags), epoch, number, frame_id, sample, tuple(bounds), border, data[HEADER_BYTES:])


@dataclass
class Live:
    """One session: what it received so far lies in ``log``, pictures and events in order."""

    websocket: ClientConnection
    log: list[Any] = field(default_factory=list)

    @property
    def pictures(self) -> list[Picture]:
        """The pictures, in order."""
        return [entry for entry in self.log if isinstance(entry, Picture)]

    @property
    def speaking(self) -> list[Picture]:
        """The pictures that sound belongs to."""
        return [picture for picture in self.pictures if Flags.SPEECH in picture.flags]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events, in order."""
        return [entry for entry in self.log if isinstance(entry, dict)]

    async def tell(self, kind: str, **fields: Any) -> None:
        """Send a text message."""
        await self.websocket.send(json.dumps({"type": kind, **fields}))

    async def say(self, pcm: np.ndarray, sizes: list[int] | None = None, end: bool = True) -> None:
        """Send an utterance, in pieces of these sizes; what they leave comes last."""
        edges = np.cumsum(sizes or [0]).tolist()
        for piece in np.split(pcm, [edge for edge in edges if 0 < edge < len(pcm)]):
            await self.websocket.send(piece.tobytes())
        if end:
            await self.tell("end")

    async def receive(self) -> Any:
        """Return the next picture or event; TimeoutError after WAIT_S."""
        message = await asyncio.wait_for(self.websocket.recv(), WAIT_S)
        self.log.append(json.loads(message) if isinstance(message, str) else read_picture(message))
        return self.log[-1]

    async def until(self, kind: str) -> dict[str, Any]:
        """Receive until an event of this type, and return it."""
        while True:
            entry = await self.receive()
            if isinstance(entry, dict) and entry["type"] == kind:
                return entry

    def expected(self, samples: np.ndarray, avatar: str = "echo") -> list[bytes]:
        """Return the pictures of a whole sound, of the frames that were shown."""
        windows = offline_windows(samples)
        assert len(self.speaking) == len(windows)
        pairs = zip(self.speaking, windows, strict=True)
        return [fake_live_jpeg(avatar, picture.frame_id, window) for picture, window in pairs]


@contextlib.asynccontextmanager
async def opened(bridge: Bridge) -> AsyncIterator[Live]:
    """Connect to /speech, and say nothing yet."""
    url = f"ws://127.0.0.1:{bridge.port}/speech"
    async with connect(
        url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None, max_queue=None, close_timeout=1
    ) as websocket:
        yield Live(websocket)


@contextlib.asynccontextmanager
async def started(bridge: Bridge, avatar: str = "echo", **fields: Any) -> AsyncIterator[Live]:
    """Begin a session without a clock, unless ``pacing`` says otherwise."""
    async with opened(bridge) as live:
        await live.tell("start", **{"avatar": avatar, "pacing": "none", **fields})
        assert (await live.receive())["type"] == "started", live.log
        yield live


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop go on until something is so; TimeoutError after WAIT_S."""

    async def turn() -> None:
        while not condition():  # noqa: ASYNC110  # what ends has no event
            await asyncio.sleep(0)

    await asyncio.wait_for(turn(), WAIT_S)


def tasks_of_sessions() -> list[str]:
    """Return what of live sessions is still going on."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(OURS)]


async def assert_nothing_left(bridge: Bridge) -> None:
    """Check that all sessions are over: no task, no seat, no call to Triton."""
    hub = bridge._hub
    await until(lambda: not bridge._sessions and not tasks_of_sessions())
    assert (hub._limit._counts.total(), hub._shares) == (0, [])
    assert {upstream.inflight for upstream in bridge.balancer.upstreams} == {0}
    assert await metric(bridge, "sessions") == 0


async def metric(bridge: Bridge, name: str) -> float:
    """Return the value of ``lipsync_bridge_speech_<name>``, labels included; 0 where nothing was counted."""
    text = (await http(bridge.port, "/metrics"))[2].decode()
    lines = [line for line in text.splitlines() if line.startswith(f"lipsync_bridge_speech_{name} ")]
    return float(lines[0].rpartition(" ")[2]) if lines else 0.0
