"""Our own load generator over gRPC, in several processes: for where perf_analyzer cannot run, and for fixed rates."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import grpc.aio
from tritonclient.grpc import service_pb2_grpc

from benchmarks.errors import LoadFailed
from benchmarks.gpu.crew import Crew, shares
from benchmarks.statistics import Latencies
from benchmarks.triton import JPEG_START, MESSAGE_BYTES, OUTPUTS
from bridge.triton import bytes_output, frame_request

__all__ = ["Answers", "Paced", "ask_at_rate", "ask_without_pause", "at_rate", "without_pause"]

DEADLINE_S = 30.0
MARGIN_S = DEADLINE_S + 10.0
CHANNEL_OPTIONS = (("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.use_local_subchannel_pool", 1))

Ask = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Answers:
    """What all processes together were answered.

    Attributes:
        frames_per_s: Sum of the processes' rates.
        latencies: From asking to the picture.
    """

    frames_per_s: float
    latencies: Latencies


@dataclass(frozen=True)
class Paced(Answers):
    """What came of asking at a fixed rate, where latencies count from when a frame was due.

    Attributes:
        behind: How late it was asked for: the generator's own lateness, which is part of the latencies.
    """

    behind: Latencies


def ask_without_pause(
    crew: Crew, url: str, model_name: str, callers: int, duration_s: float, frame_count: int
) -> Answers:
    """Have each caller ask for its next frame as soon as it has one.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    jobs = [
        (without_pause, {"url": url, "model_name": model_name, "callers": share, "duration_s": duration_s}
         | {"first": index * frame_count // crew.size, "frame_count": frame_count})
        for index, share in enumerate(shares(callers, crew.size))
    ]  # fmt: skip
    found = crew.ask(jobs, duration_s + MARGIN_S)
    return Answers(sum(rate for rate, _ in found), Latencies.of([ms for _, all_ms in found for ms in all_ms]))


def ask_at_rate(
    crew: Crew, url: str, model_name: str, frames_per_s: float, duration_s: float, frame_count: int
) -> Paced:
    """Ask for frames at fixed times, whether or not the ones before have come.

    Raises:
        LoadFailed: If anything but a frame comes.
    """
    jobs = [
        (at_rate, {"url": url, "model_name": model_name, "duration_s": duration_s, "frame_count": frame_count}
         | {"frames_per_s": frames_per_s / crew.size, "delay_s": index / frames_per_s})
        for index in range(crew.size)
    ]  # fmt: skip
    found = crew.ask(jobs, duration_s + MARGIN_S)
    return Paced(
        sum(rate for rate, _, _ in found),
        Latencies.of([ms for _, all_ms, _ in found for ms in all_ms]),
        Latencies.of([ms for _, _, all_ms in found for ms in all_ms]),
    )


async def without_pause(
    url: str, model_name: str, callers: int, duration_s: float, first: int, frame_count: int
) -> tuple[float, array[float]]:
    """Run some callers in this process; return frames per second, and each latency in milliseconds."""
    latencies_ms = array("d")
    numbers = itertools.count(first)
    async with _asking(url, model_name) as ask:
        start_s = time.perf_counter()

        async def call() -> None:
            while (now_s := time.perf_counter()) < start_s + duration_s:
                await ask(next(numbers) % frame_count)
                latencies_ms.append((time.perf_counter() - now_s) * 1000)

        await asyncio.gather(*(call() for _ in range(callers)))
        return len(latencies_ms) / (time.perf_counter() - start_s), latencies_ms


async def at_rate(
    url: str, model_name: str, frames_per_s: float, duration_s: float, frame_count: int, delay_s: float
) -> tuple[float, array[float], array[float]]:
    """Ask at fixed times from this process; return frames per second, latencies and latenesses in milliseconds."""
    latencies_ms, behind_ms = array("d"), array("d")
    async with _asking(url, model_name) as ask:
        start_s = time.perf_counter() + delay_s

        async def call(number: int, due_s: float) -> None:
            behind_ms.append((time.perf_counter() - due_s) * 1000)
            await ask(number % frame_count)
            latencies_ms.append((time.perf_counter() - due_s) * 1000)

        calls = []
        for number in range(max(1, round(frames_per_s * duration_s))):
            due_s = start_s + number / frames_per_s
            if (ahead_s := due_s - time.perf_counter()) > 0:
                await asyncio.sleep(ahead_s)
            calls.append(asyncio.create_task(call(number, due_s)))
        await asyncio.gather(*calls)
        return len(calls) / (time.perf_counter() - start_s), latencies_ms, behind_ms


@contextlib.asynccontextmanager
async def _asking(url: str, model_name: str) -> AsyncIterator[Ask]:
    """Open a channel; yield what asks for one frame and raises LoadFailed for anything but one."""
    async with grpc.aio.insecure_channel(url, CHANNEL_OPTIONS) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

        async def ask(frame_id: int) -> None:
            request = frame_request(model_name, frame_id, OUTPUTS)
            try:
                jpeg = bytes_output(await stub.ModelInfer(request, timeout=DEADLINE_S), "jpeg")
            except grpc.RpcError as exc:
                raise LoadFailed(f"'{model_name}' over gRPC", f"{exc.code().name}: {exc.details()}") from exc
            if bytes(jpeg[:2]) != JPEG_START:
                raise LoadFailed(f"'{model_name}' over gRPC", repr(bytes(jpeg[:16])))

        await ask(0)  # connects
        yield ask
