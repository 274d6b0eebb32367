"""Many viewers for a minute: idle and playing WebSocket clients, missed deadlines, and the bridge's memory."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

from benchmarks.site import FRAMES, Site
from benchmarks.statistics import Latencies, timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_bridge, running_triton
from benchmarks.websocket import FrameSocket, connected, frame_message, play_at_rate

__all__ = ["Soak", "run_soak"]

AVATAR = "demo"
FRAMES_PER_S = 25.0
DEADLINE_MS = 1000 / FRAMES_PER_S
SETTLE_S = 2.0
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Soak:
    """How a minute went.

    Attributes:
        idle: Clients that only stay connected.
        playing: Clients that watch at 25 fps.
        frames: Asked for.
        missed: Later than the next frame was due, or never.
        latencies: From when a frame was due to when it came.
        before_bytes: Memory of the bridge with all clients playing for two seconds.
        after_bytes: At the end.
    """

    idle: int
    playing: int
    frames: int
    missed: int
    latencies: Latencies
    before_bytes: int
    after_bytes: int

    def rows(self) -> list[Row]:
        """Return the one row."""
        return [
            {
                "idle": self.idle,
                "playing at 25 fps": self.playing,
                "frames": self.frames,
                "missed deadlines": self.missed,
                "p50_ms": self.latencies.p50_ms,
                "p95_ms": self.latencies.p95_ms,
                "p99_ms": self.latencies.p99_ms,
                "bridge before, MiB": self.before_bytes / MEBIBYTE,
                "bridge after, MiB": self.after_bytes / MEBIBYTE,
            }
        ]


async def run_soak(site: Site, duration_s: float, idle: int = 200, playing: int = 50) -> Soak:
    """Play from the response cache for ``duration_s``.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    messages = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]
    latencies_ms: list[float] = []

    def answered(socket: FrameSocket, latency_ms: float) -> None:
        latencies_ms.append(latency_ms)

    async with (
        running_triton(site.model_repository, "replay") as triton,
        running_bridge(triton.grpc_url) as bridge,
    ):
        await asyncio.to_thread(_fill_cache, triton.grpc_url)
        async with (
            connected(bridge.port, idle, answered),
            connected(bridge.port, playing, answered) as players,
        ):
            await play_at_rate(players, messages, FRAMES_PER_S, SETTLE_S)
            latencies_ms.clear()
            before = bridge.resident_bytes()
            asked = await play_at_rate(players, messages, FRAMES_PER_S, duration_s)
            after = bridge.resident_bytes()
    late = sum(latency_ms > DEADLINE_MS for latency_ms in latencies_ms)
    missed = late + asked - len(latencies_ms)
    return Soak(idle, playing, asked, missed, Latencies.of(latencies_ms), before, after)


def _fill_cache(url: str) -> None:
    with GrpcCaller(url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
        timed_round(caller.call, FRAMES)
