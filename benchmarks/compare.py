"""The served path beside its limit, the plain export, the seed's server and other servers, taking turns."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.baselines.bare import bare_loop
from benchmarks.baselines.callers import eager, other_server
from benchmarks.errors import NotAvailable
from benchmarks.site import FRAMES, Site
from benchmarks.statistics import Latencies, Round, median_ratio, take_turns, timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_triton
from export.avatar import CPU_WEIGHTS_FILE, WEIGHTS_FILE

__all__ = ["BARE", "PLAIN", "SEED", "SERVED", "Comparison", "compare"]

SERVED = "Triton, latency, gRPC"
BARE = "ONNX Runtime alone, rewritten"
PLAIN = "ONNX Runtime alone, plain export"
SEED = "the seed's server (PyTorch eager, gRPC)"
OTHERS = {"LitServe": "litserve_server", "Ray Serve": "ray_server"}
WARM_UP_FRAMES = 3


@dataclass(frozen=True)
class Comparison:
    """Rounds by side, and the sides that could not be measured.

    Attributes:
        rounds: What each side did, round by round.
        skipped: One sentence per absent side.
    """

    rounds: dict[str, list[Round]]
    skipped: tuple[str, ...]

    def ratio(self, side: str, other: str) -> float:
        """Return the median ratio of two sides' frames per second."""
        return median_ratio(self.rounds[side], self.rounds[other])

    def rows(self) -> list[Row]:
        """Return a table row per side: percentiles, and ratios to the limit and to the seed's server."""
        return [_row(self, side) for side in self.rounds]


async def compare(
    site: Site, avatar: str, width: float, rounds: int, frames: int, others: bool = True
) -> Comparison:
    """Measure all sides at one caller, ``frames`` frames a turn.

    Raises:
        LoadFailed: If a side that runs answers with anything but frames.
    """
    async with running_triton(site.model_repository, "latency") as triton:
        return await asyncio.to_thread(_measure, site, avatar, width, triton.grpc_url, rounds, frames, others)


def _measure(
    site: Site, avatar: str, width: float, url: str, rounds: int, frames: int, others: bool
) -> Comparison:
    folder = site.avatars / avatar
    threads = len(os.sched_getaffinity(0))
    skipped: list[str] = []
    with contextlib.ExitStack() as stack:
        caller = stack.enter_context(GrpcCaller(url, avatar, itertools.cycle(range(FRAMES))))
        calls: dict[str, Callable[[], None]] = {
            SERVED: caller.call,
            BARE: bare_loop(folder / CPU_WEIGHTS_FILE, folder, threads),
            PLAIN: bare_loop(folder / WEIGHTS_FILE, folder, threads),
            SEED: stack.enter_context(eager(folder, width)),
        }
        for name, module in OTHERS.items() if others else ():
            try:
                calls[name] = stack.enter_context(other_server(module, folder, folder / CPU_WEIGHTS_FILE))
            except NotAvailable as exc:
                skipped.append(str(exc))
        return Comparison(_take_turns(calls, rounds, frames), tuple(skipped))


def _take_turns(calls: dict[str, Callable[[], None]], rounds: int, frames: int) -> dict[str, list[Round]]:
    for call in calls.values():
        timed_round(call, WARM_UP_FRAMES)

    def side(call: Callable[[], None]) -> Callable[[], Round]:
        def turn() -> Round:
            call()  # wakes its caches and threads: it was another side's turn
            return timed_round(call, frames)

        return turn

    return take_turns({name: side(call) for name, call in calls.items()}, rounds)


def _row(comparison: Comparison, side: str) -> Row:
    rounds = comparison.rounds[side]
    latencies = Latencies.of([value for one in rounds for value in one.latencies_ms])
    return {
        "server": side,
        "frames/s": sorted(one.frames_per_s for one in rounds)[len(rounds) // 2],
        "p50_ms": latencies.p50_ms,
        "p95_ms": latencies.p95_ms,
        "p99_ms": latencies.p99_ms,
        "of the limit": comparison.ratio(side, BARE),
        "times the seed's": comparison.ratio(side, SEED),
    }
