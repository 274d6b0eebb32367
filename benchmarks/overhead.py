"""What a frame costs apart from the network: Triton's own statistics, and the time its client waits."""

from __future__ import annotations

import asyncio
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tritonclient.grpc import service_pb2

from benchmarks.site import FRAMES, Site
from benchmarks.statistics import median_by, timed_round
from benchmarks.table import Row
from benchmarks.triton import GrpcCaller, running_triton

__all__ = ["Overhead", "Stage", "measure_overhead", "median_of", "stages_between"]

NANOSECONDS_PER_MS = 1e6
WARM_UP_FRAMES = 5


@dataclass(frozen=True)
class Stage:
    """Mean times of one model per frame, in milliseconds: waiting, taking inputs, computing, giving outputs."""

    queue_ms: float
    input_ms: float
    infer_ms: float
    output_ms: float

    @property
    def total_ms(self) -> float:
        """All four together."""
        return self.queue_ms + self.input_ms + self.infer_ms + self.output_ms


@dataclass(frozen=True)
class Overhead:
    """Where a frame's time goes at one caller.

    Attributes:
        client_ms: Mean time from asking to having the answer.
        stages: Each model of the ensemble, by name.
        network: Which of them is the U-Net.
    """

    client_ms: float
    stages: Mapping[str, Stage]
    network: str

    @property
    def besides_network_ms(self) -> float:
        """All of the client's time in which the U-Net did not compute."""
        return self.client_ms - self.stages[self.network].infer_ms

    def rows(self) -> list[Row]:
        """Return a row per stage, then what is left for gRPC, scheduling and the client, then the sum."""
        rows: list[Row] = [
            {
                "stage": name,
                "queue_ms": stage.queue_ms,
                "input_ms": stage.input_ms,
                "infer_ms": stage.infer_ms,
                "output_ms": stage.output_ms,
                "total_ms": stage.total_ms,
            }
            for name, stage in self.stages.items()
        ]
        rest = self.client_ms - sum(stage.total_ms for stage in self.stages.values())
        rows.append({"stage": "gRPC, ensemble, client", "total_ms": rest})
        rows.append({"stage": "whole frame", "total_ms": self.client_ms})
        rows.append({"stage": "everything but the U-Net", "total_ms": self.besides_network_ms})
        return rows


async def measure_overhead(site: Site, avatar: str, turns: int, frames: int) -> list[Overhead]:
    """Measure ``turns`` times ``frames`` frames of the strategy ``latency`` at one caller.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    async with running_triton(site.model_repository, "latency") as triton:
        return await asyncio.to_thread(_measure, triton.grpc_url, avatar, turns, frames)


def median_of(turns: Sequence[Overhead]) -> Overhead:
    """Return the turn with the median overhead, so that one in which the machine stood still counts once."""
    return median_by(turns, lambda turn: turn.besides_network_ms)


def stages_between(before: service_pb2.ModelStatistics, after: service_pb2.ModelStatistics) -> Stage:
    """Return the mean times per frame between two readings of a model's statistics."""
    frames: int = max(1, after.inference_stats.success.count - before.inference_stats.success.count)

    def mean(key: str) -> float:
        spent_ns: int = getattr(after.inference_stats, key).ns - getattr(before.inference_stats, key).ns
        return spent_ns / frames / NANOSECONDS_PER_MS

    return Stage(mean("queue"), mean("compute_input"), mean("compute_infer"), mean("compute_output"))


def _measure(url: str, avatar: str, turns: int, frames: int) -> list[Overhead]:
    with GrpcCaller(url, avatar, itertools.cycle(range(FRAMES))) as caller:
        timed_round(caller.call, WARM_UP_FRAMES)
        return [_turn(caller, avatar, frames) for _ in range(turns)]


def _turn(caller: GrpcCaller, avatar: str, frames: int) -> Overhead:
    models = [f"{avatar}_frames", f"{avatar}_unet", "jpeg_encode"]
    before = {name: caller.statistics(name) for name in models}
    client_ms = statistics.mean(timed_round(caller.call, frames).latencies_ms)
    stages = {name: stages_between(before[name], caller.statistics(name)) for name in models}
    return Overhead(client_ms, stages, models[1])
