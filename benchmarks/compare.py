"""The served path beside its limit, the plain export, the predecessor's server and other servers, taking turns."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.baselines.bare import bare_loop
from benchmarks.baselines.callers import Call, eager, other_server
from benchmarks.errors import NotAvailable
from benchmarks.machine import usable_cores
from benchmarks.site import FRAMES, Site
from benchmarks.statistics import Latencies, Round, median_by, median_ratio, take_turns, timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_triton
from export.repository.avatar import CPU_WEIGHTS_FILE, WEIGHTS_FILE

__all__ = ["BARE", "PLAIN", "PREDECESSOR", "SERVED", "Comparison", "compare"]

SERVED = "Triton, latency, gRPC"
BARE = "ONNX Runtime alone, rewritten"
PLAIN = "ONNX Runtime alone, plain export"
PREDECESSOR = "the predecessor's server (PyTorch eager, gRPC)"
OTHERS = {"LitServe": "litserve_server", "Ray Serve": "ray_server"}
WARM_UP_FRAMES = 3


@dataclass(frozen=True)
class Comparison:
    """Rounds by side, and the sides that could not be measured.

    Attributes:
        rounds: What each of our sides did, round by round.
        others: The same for each other server, and for the bare loop that took turns with it: it runs only then, as
            some never sleep.
        skipped: One sentence per absent side.
    """

    rounds: dict[str, list[Round]]
    others: dict[str, dict[str, list[Round]]]
    skipped: tuple[str, ...]

    def ratio(self, side: str, other: str) -> float:
        """Return the median ratio of two of our sides' frames per second."""
        return median_ratio(self.rounds[side], self.rounds[other])

    def rows(self) -> list[Row]:
        """Return a table row per side: percentiles, and ratios to the limit and to the predecessor's server.

        Another server's ratio to the predecessor's is its share of the limit times the limit's ratio.
        """
        limit = self.ratio(BARE, PREDECESSOR)
        ours = [
            _row(side, rounds, self.ratio(side, BARE), self.ratio(side, PREDECESSOR))
            for side, rounds in self.rounds.items()
        ]
        shares = {side: median_ratio(found[side], found[BARE]) for side, found in self.others.items()}
        return ours + [
            _row(side, self.others[side][side], share, share * limit) for side, share in shares.items()
        ]


async def compare(
    site: Site, avatar: str, width: float, rounds: int, frames: int, others: bool = True
) -> Comparison:
    """Measure all sides at one caller, ``frames`` frames a turn.

    Raises:
        LoadFailed: If a side that runs answers with anything but frames.
    """
    folder = site.avatars / avatar
    bare = bare_loop(folder / CPU_WEIGHTS_FILE, folder, usable_cores())
    async with running_triton(site.model_repository, "latency") as triton:
        ours = await asyncio.to_thread(_ours, triton.grpc_url, folder, width, bare, rounds, frames)
    if not others:
        return Comparison(ours, {}, ())
    return Comparison(ours, *await asyncio.to_thread(_theirs, folder, bare, rounds, frames))


def _ours(
    url: str, folder: Path, width: float, bare: Call, rounds: int, frames: int
) -> dict[str, list[Round]]:
    plain = bare_loop(folder / WEIGHTS_FILE, folder, usable_cores())
    frame_ids = itertools.cycle(range(FRAMES))
    with GrpcCaller(url, folder.name, frame_ids) as caller, eager(folder, width) as predecessor:
        return _take_turns(
            {SERVED: caller.call, BARE: bare, PLAIN: plain, PREDECESSOR: predecessor}, rounds, frames
        )


def _theirs(
    folder: Path, bare: Call, rounds: int, frames: int
) -> tuple[dict[str, dict[str, list[Round]]], tuple[str, ...]]:
    found, skipped = {}, []
    for name, module in OTHERS.items():
        try:
            with other_server(module, folder, folder / CPU_WEIGHTS_FILE) as call:
                found[name] = _take_turns({name: call, BARE: bare}, rounds, frames)
        except NotAvailable as exc:
            skipped.append(str(exc))
    return found, tuple(skipped)


def _take_turns(calls: dict[str, Call], rounds: int, frames: int) -> dict[str, list[Round]]:
    for call in calls.values():
        timed_round(call, WARM_UP_FRAMES)

    def side(call: Call) -> Callable[[], Round]:
        def turn() -> Round:
            call()  # wakes its caches and threads: it was another side's turn
            return timed_round(call, frames)

        return turn

    return take_turns({name: side(call) for name, call in calls.items()}, rounds)


def _row(side: str, rounds: Sequence[Round], of_limit: float, of_predecessor: float) -> Row:
    latencies = Latencies.of([value for one in rounds for value in one.latencies_ms])
    return {
        "server": side,
        "frames/s": median_by(rounds, lambda one: one.frames_per_s).frames_per_s,
        "p50_ms": latencies.p50_ms,
        "p95_ms": latencies.p95_ms,
        "p99_ms": latencies.p99_ms,
        "of the limit": of_limit,
        "times the predecessor's": of_predecessor,
    }
