"""Frames from the response cache: over gRPC, and through the bridge, with what the bridge adds."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from websockets.sync.client import connect

from benchmarks.errors import LoadFailed
from benchmarks.perf_analyzer import Load, Measurement, run_perf_analyzer
from benchmarks.site import FRAMES, Site
from benchmarks.statistics import Latencies, Round, percentile, take_turns, timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_bridge, running_triton
from benchmarks.websocket import JPEG_START, frame_message, request_without_pause

__all__ = ["Replay", "measure_replay"]

AVATAR = "demo"
CLIENTS = 16
DEADLINE_S = 30.0


@dataclass(frozen=True)
class Replay:
    """What the cache gives.

    Attributes:
        grpc: perf_analyzer with 16 callers.
        bridge: 16 WebSocket clients.
        direct: One caller over gRPC, by round.
        bridged: One WebSocket client, in the same rounds.
    """

    grpc: Measurement
    bridge: Round
    direct: list[Round]
    bridged: list[Round]

    @property
    def bridge_adds_ms(self) -> float:
        """How much longer the median frame takes through the bridge, at one caller."""
        return _p50(self.bridged) - _p50(self.direct)

    def rows(self) -> list[Row]:
        """Return a row per path and number of callers."""
        measured = self.grpc
        return [
            {
                "path": "gRPC",
                "callers": CLIENTS,
                "frames/s": measured.frames_per_s,
                "p50_ms": measured.p50_ms,
                "p95_ms": measured.p95_ms,
                "p99_ms": measured.p99_ms,
            },
            _row("bridge, WebSocket", CLIENTS, [self.bridge]),
            _row("gRPC", 1, self.direct),
            _row("bridge, WebSocket", 1, self.bridged),
        ]


async def measure_replay(site: Site, duration_s: float, rounds: int, frames: int) -> Replay:
    """Fill the cache, then measure ``duration_s`` with 16 callers and ``rounds`` turns of ``frames`` at one.

    Raises:
        LoadFailed: If anything but a frame comes.
        NotAvailable: If perf_analyzer is not there.
    """
    messages = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]
    async with (
        running_triton(site.model_repository, "replay") as triton,
        running_bridge(triton.grpc_url) as bridge,
    ):
        await asyncio.to_thread(_fill_cache, triton.grpc_url)
        direct, bridged = await asyncio.to_thread(_alternate, triton.grpc_url, bridge.port, rounds, frames)
        load = Load(AVATAR, CLIENTS, duration_s / 3, FRAMES)
        grpc = await asyncio.to_thread(run_perf_analyzer, triton.grpc_url, load)
        many = await request_without_pause(bridge.port, CLIENTS, messages, duration_s)
    return Replay(grpc, many, direct, bridged)


def _fill_cache(url: str) -> None:
    with GrpcCaller(url, AVATAR, iter(range(FRAMES))) as caller:
        timed_round(caller.call, FRAMES)


def _alternate(url: str, port: int, rounds: int, frames: int) -> tuple[list[Round], list[Round]]:
    """Ask over gRPC and through the bridge in turns, so that both meet the same minute."""
    with GrpcCaller(url, AVATAR, itertools.cycle(range(FRAMES))) as caller, _browser(port) as ask:
        sides = {
            "direct": lambda: timed_round(caller.call, frames),
            "bridged": lambda: timed_round(ask, frames),
        }
        take_turns(sides, 1)  # warms connections and code
        done = take_turns(sides, rounds)
    return done["direct"], done["bridged"]


@contextmanager
def _browser(port: int) -> Iterator[Callable[[], None]]:
    turns = itertools.cycle(range(FRAMES))
    with connect(f"ws://127.0.0.1:{port}/ws", compression=None, max_size=None) as websocket:
        websocket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask() -> None:
            websocket.send(frame_message(AVATAR, next(turns)))
            answer = websocket.recv(DEADLINE_S)
            if answer[:2] != JPEG_START:
                raise LoadFailed("the bridge", repr(answer[:100]))

        yield ask


def _p50(rounds: list[Round]) -> float:
    return percentile([value for one in rounds for value in one.latencies_ms], 0.5)


def _row(path: str, callers: int, rounds: list[Round]) -> Row:
    latencies = Latencies.of([value for one in rounds for value in one.latencies_ms])
    rate = percentile([one.frames_per_s for one in rounds], 0.5)
    return {
        "path": path,
        "callers": callers,
        "frames/s": rate,
        "p50_ms": latencies.p50_ms,
        "p95_ms": latencies.p95_ms,
        "p99_ms": latencies.p99_ms,
    }
