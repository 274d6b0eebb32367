"""Viewers of clips and a live session side by side for minutes: what is late, what is left out, what grows."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import triton_bytes
from benchmarks.site import FRAMES, Site
from benchmarks.soak import AVATAR, DEADLINE_MS, FRAMES_PER_S, MEBIBYTE
from benchmarks.speakers import MICROPHONE, Heard, speak
from benchmarks.statistics import Latencies, timed_round
from benchmarks.table import Row
from benchmarks.triton import BridgeProcess, GrpcCaller, running_bridge, running_triton
from benchmarks.websocket import FrameSocket, connected, frame_message, play_at_rate
from embedded import Server

__all__ = ["Endurance", "Held", "run_endurance"]

UTTERANCE_S = 4.0
WARM_S = 4.0


@dataclass(frozen=True)
class Held:
    """What the processes hold at one time.

    Attributes:
        bridge_bytes: The bridge's resident memory.
        triton_bytes: That of Triton and its Python processes, shared pages counted once.
        descriptors: Files and connections that the bridge has open.
    """

    bridge_bytes: int
    triton_bytes: int
    descriptors: int

    @classmethod
    def by(cls, bridge: BridgeProcess, triton: Server) -> Held:
        """Look at both."""
        descriptors = len(list(Path(f"/proc/{bridge.pid}/fd").iterdir()))
        return cls(bridge.resident_bytes(), triton_bytes(triton.grpc_port), descriptors)


@dataclass(frozen=True)
class Endurance:
    """How some minutes went.

    Attributes:
        viewers: Clients that watch a clip at 25 fps.
        frames: They asked for.
        missed: Of these, later than the next frame was due, or never.
        latencies: From when a frame was due to when it came.
        heard: What the live sessions' clients saw.
        before: Once everything was warm.
        after: At the end, everything still running.
    """

    viewers: int
    frames: int
    missed: int
    latencies: Latencies
    heard: Heard
    before: Held
    after: Held

    def rows(self) -> list[Row]:
        """Return the one row."""
        return [
            {
                "viewers": self.viewers,
                "frames": self.frames,
                "missed deadlines": self.missed,
                "p99_ms": self.latencies.p99_ms,
                "live pictures": self.heard.expected,
                "left out": self.heard.skipped,
                "bridge before, MiB": self.before.bridge_bytes / MEBIBYTE,
                "bridge after, MiB": self.after.bridge_bytes / MEBIBYTE,
                "Triton before, MiB": self.before.triton_bytes / MEBIBYTE,
                "Triton after, MiB": self.after.triton_bytes / MEBIBYTE,
                "descriptors before": self.before.descriptors,
                "descriptors after": self.after.descriptors,
            }
        ]


async def run_endurance(site: Site, duration_s: float, viewers: int = 10, sessions: int = 1) -> Endurance:
    """Play from the response cache, and speak into a microphone, for ``duration_s``.

    Raises:
        LoadFailed: If anything but a frame comes, or a session is refused or ends.
    """
    latencies_ms: list[float] = []

    def answered(socket: FrameSocket, latency_ms: float) -> None:
        latencies_ms.append(latency_ms)

    async with (
        running_triton(site.model_repository, "replay") as triton,
        running_bridge(triton.grpc_url, "--speech-admission", "off") as bridge,
    ):
        await asyncio.to_thread(_fill_cache, triton.grpc_url)
        async with connected(bridge.port, viewers, answered) as players:
            await _both(bridge, players, WARM_S, sessions)
            latencies_ms.clear()
            before = Held.by(bridge, triton)
            asked, heard = await _both(bridge, players, duration_s, sessions)
            after = Held.by(bridge, triton)
    late = sum(latency_ms > DEADLINE_MS for latency_ms in latencies_ms)
    missed = late + asked - len(latencies_ms)
    return Endurance(viewers, asked, missed, Latencies.of(latencies_ms), heard, before, after)


async def _both(
    bridge: BridgeProcess, players: list[FrameSocket], duration_s: float, sessions: int
) -> tuple[int, Heard]:
    messages = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]
    seconds = min(duration_s, UTTERANCE_S)
    speaking = speak(bridge.port, AVATAR, sessions, MICROPHONE, seconds, int(duration_s / seconds))
    return await asyncio.gather(play_at_rate(players, messages, FRAMES_PER_S, duration_s), speaking)


def _fill_cache(url: str) -> None:
    with GrpcCaller(url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
        timed_round(caller.call, FRAMES)
