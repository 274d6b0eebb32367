"""Measure the stages beside the network, each alone, and say what a GPU's speed takes of them."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.site import Site
from benchmarks.stages.load import StageLoad, run_load, shared
from benchmarks.stages.models import AVATAR, STAGES, Stage, model_name, write_repository
from benchmarks.stages.processor import Processes, Spent, find_processes
from benchmarks.table import Row
from benchmarks.triton import running_triton
from embedded import Server

__all__ = ["GOAL", "StageFigures", "measure_stages", "needed"]

GOAL = 10_000
"""Frames a second that one GPU is hoped to paint."""

FRAMES_IN_FLIGHT = 64
WARM_UP_SHARE = 0.25
AUDIO_BYTES = 32 * 16 * 16 * 4
MS = 1000.0


@dataclass(frozen=True)
class StageFigures:
    """What a stage did alone, and what it took.

    Attributes:
        stage: Its name.
        instances: How many processes of it there were.
        batch: Frames of each request; those of 1 are joined by Triton.
        frames_per_s: By the clock.
        joined: Frames of an execution, in the mean; of an ensemble those of its first stage.
        stub_ms: Processor time of a frame in the stage's own processes.
        server_ms: Processor time of a frame in tritonserver: gRPC, scheduling and copies.
        busy: Cores that the stage's own processes kept busy.
    """

    stage: str
    instances: int
    batch: int
    frames_per_s: float
    joined: float
    stub_ms: float
    server_ms: float
    busy: float

    @property
    def frames_per_core(self) -> float:
        """Frames a second of one core that does nothing else, tritonserver's share counted."""
        return MS / (self.stub_ms + self.server_ms)

    def row(self) -> Row:
        """Return the table's row."""
        return {
            "stage": self.stage,
            "instances": self.instances,
            "batch": self.batch,
            "frames/s": self.frames_per_s,
            "joined": self.joined,
            "stage_ms": self.stub_ms,
            "server_ms": self.server_ms,
            "cores busy": self.busy,
            "frames/s a core": self.frames_per_core,
        }


async def measure_stages(
    site: Site, batches: Sequence[int], instances: Sequence[int], seconds: float
) -> list[StageFigures]:
    """Measure each stage with each batch and number of instances, so many seconds each.

    Raises:
        LoadFailed: If anything but answers comes.
    """
    with tempfile.TemporaryDirectory(prefix="stages-", dir=site.avatars.parent) as name:
        folder = Path(name)
        write_repository(site, folder, STAGES, instances)
        pictures = np.load(site.avatars / AVATAR / "faces.npy", mmap_mode="r")
        async with running_triton(folder, None) as server:
            return [
                await _measure(server, stage, count, batch, pictures, seconds)
                for stage in STAGES
                for count in instances
                for batch in batches
            ]


def needed(figures: Sequence[StageFigures], goal: float = GOAL) -> list[Row]:
    """Return what a goal of frames a second takes of each stage: cores, of them its own, and processes of one core.

    A stage's cheapest number of instances counts. Single frames that Triton joins are what viewers ask for; batches of
    16 are what a caller that collects frames gets.
    """
    rows = []
    for stage in dict.fromkeys(one.stage for one in figures):
        for batch in (1, 16):
            cases = [one for one in figures if one.stage == stage and one.batch == batch]
            if cases:
                best = min(cases, key=lambda one: one.stub_ms + one.server_ms)
                rows.append(_need(best, goal))
    return rows


def _need(best: StageFigures, goal: float) -> Row:
    own, server = goal * best.stub_ms / MS, goal * best.server_ms / MS
    return {
        "stage": best.stage,
        "requests of": best.batch,
        "cores, its own": own,
        "cores, tritonserver": server,
        "instances of one core": math.ceil(own),
    }


async def _measure(
    server: Server, stage: Stage, instances: int, batch: int, pictures: NDArray[np.uint8], seconds: float
) -> StageFigures:
    load = _load(stage, instances, batch, pictures)
    models = [model_name(name, instances) for name in stage.steps or (stage.name,)]
    processes = find_processes(models, server.grpc_port)
    async with shared(server, load) as requests:
        await run_load(server, requests, WARM_UP_SHARE * seconds)
        before, counted = await _read(server, models[0], processes)
        loop = asyncio.get_running_loop()
        start_s = loop.time()
        answers = await run_load(server, requests, seconds)
        wall_s = loop.time() - start_s
        after, counted_after = await _read(server, models[0], processes)
    frames = answers * batch
    executions = max(1, counted_after.execution_count - counted.execution_count)
    stubs_s = after.stubs_s - before.stubs_s
    return StageFigures(
        stage=stage.name,
        instances=instances,
        batch=batch,
        frames_per_s=frames / wall_s,
        joined=(counted_after.inference_count - counted.inference_count) / executions,
        stub_ms=stubs_s / frames * MS,
        server_ms=(after.server_s - before.server_s) / frames * MS,
        busy=stubs_s / wall_s,
    )


def _load(stage: Stage, instances: int, batch: int, pictures: NDArray[np.uint8]) -> StageLoad:
    """Return the load that keeps every instance busy: one batch at least waits while another is answered."""
    ids = np.arange(batch, dtype=np.int32) % len(pictures)
    face_bytes = batch * pictures[0].nbytes
    sizes = {"face": face_bytes, "audio": batch * AUDIO_BYTES, "bounds": 0, "face_id": 0, "jpeg": 0}
    return StageLoad(
        model_name=model_name(stage.name, instances),
        input=stage.input,
        batch=pictures[ids] if stage.takes_pictures else ids[:, None],
        outputs={name: sizes.get(name, face_bytes if stage.takes_pictures else 0) for name in stage.outputs},
        callers=max(2 * instances, FRAMES_IN_FLIGHT // batch),
    )


async def _read(
    server: Server, model_name: str, processes: Processes
) -> tuple[Spent, service_pb2.ModelStatistics]:
    async with grpc.aio.insecure_channel(server.grpc_url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = await stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model_name))
    return processes.spent(), answer.model_stats[-1]
