"""Measures what the simulation is fed with, on this machine's real Triton and bridge: ``--calibrate``."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping

import numpy as np

from benchmarks.baselines import stand_in
from benchmarks.baselines.process import running
from benchmarks.bridge_alone import LIVE_OPTIONS
from benchmarks.errors import LoadFailed
from benchmarks.memory import triton_bytes, triton_processes
from benchmarks.overhead import stages_between
from benchmarks.simulation.parameters import Value
from benchmarks.simulation.spent import Spent
from benchmarks.site import FRAMES, Site
from benchmarks.speakers import MICROPHONE, Heard, SpeechSocket, speak
from benchmarks.statistics import percentile, timed_round
from benchmarks.triton import DEADLINE_S, BridgeProcess, GrpcCaller, running_bridge, running_triton
from benchmarks.websocket import frame_message, opened, request_without_pause
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.live.models import LiveModels
from embedded import Server
from speech.contract import AUDIO_WINDOW, FEATURE_SIZE, FPS
from speech.mel import VECTOR_SAMPLES

__all__ = ["AVATAR", "calibrate", "spread_of"]

AVATAR = "demo"
BUSY = 16
SPREAD = 20
WARM_FRAMES = 5
SEED = 7

Costs = dict[str, float]


async def calibrate(site: Site, seconds: float) -> Mapping[str, Value]:
    """Measure everything that one machine tells, each part for about ``seconds``.

    Raises:
        LoadFailed: If anything but frames comes.
    """
    costs: Costs = {}
    begin_s = time.perf_counter()
    async with running_triton(site.model_repository, "latency") as triton:
        costs["ready_s"] = time.perf_counter() - begin_s
        computed, spread = await asyncio.to_thread(_computed, triton, seconds)
        costs |= computed | await _live(triton, seconds, computed["network_core_s"])
        async with running_bridge(triton.grpc_url) as bridge:
            costs |= await _computed_through_bridge(triton, bridge, costs["network_width"], seconds)
    async with running_triton(site.model_repository, "replay") as triton:
        costs |= await asyncio.to_thread(_fill_cache, triton.grpc_url)
        async with running_bridge(triton.grpc_url) as bridge:
            costs |= await _through_bridge(triton, bridge, "cached", BUSY, seconds)
            costs |= await _delay(bridge, costs)
            costs |= await asyncio.to_thread(_around, triton, bridge)
    return {**costs, **await _bridge_alone(seconds), "network_spread": spread}


def spread_of(latencies_s: list[float], network_s: float) -> list[float]:
    """Return factors of the network's time, equally likely and with the mean 1, from latencies of whole frames."""
    rest_s = statistics.mean(latencies_s) - network_s
    times_s = [max(latency_s - rest_s, network_s / 2) for latency_s in latencies_s]
    quantiles_s = [percentile(times_s, (place + 0.5) / SPREAD) for place in range(SPREAD)]
    mean_s = statistics.mean(quantiles_s)
    return [round(quantile_s / mean_s, 4) for quantile_s in quantiles_s]


def _computed(triton: Server, seconds: float) -> tuple[Costs, list[float]]:
    """Measure one caller of frames that are computed, where the network's process spends most; and the spread."""
    with GrpcCaller(triton.grpc_url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
        frame_s = statistics.mean(timed_round(caller.call, WARM_FRAMES).latencies_ms) / 1000
        before = caller.statistics(f"{AVATAR}_unet")
        spent = Spent(triton_processes(triton.grpc_port))
        frames = timed_round(caller.call, max(WARM_FRAMES, round(seconds / frame_s)))
        network, *others = spent.each_s()
        stage = stages_between(before, caller.statistics(f"{AVATAR}_unet"))
        own_s = spent.own_s()
    count, network_wall_s = len(frames.latencies_ms), stage.infer_ms / 1000
    latencies_s = [latency_ms / 1000 for latency_ms in frames.latencies_ms]
    rest_s = (sum(others) + own_s) / count
    costs = {
        "network_core_s": network / count,
        "network_width": max(1.0, network / count / network_wall_s),
        "frame_core_s": sum(others) / count,
        "frame_delay_s": max(0.0, statistics.mean(latencies_s) - network_wall_s - rest_s),
    }
    return costs, spread_of(latencies_s, network_wall_s)


async def _live(triton: Server, seconds: float, network_core_s: float) -> Costs:
    """Measure what pictures and vectors of live speech take in Triton, one after another."""
    random = np.random.default_rng(SEED)
    windows = random.normal(size=(FRAMES, AUDIO_WINDOW, FEATURE_SIZE)).astype(np.float32)
    samples = random.normal(size=(1, VECTOR_SAMPLES)).astype(np.float32)
    sizes: list[int] = []
    async with Balancer(BridgeConfig(upstreams=(triton.grpc_url,))) as balancer:
        models = LiveModels(balancer, DEADLINE_S)

        async def paint() -> None:
            number = len(sizes) % FRAMES
            picture, _ = await models.paint(AVATAR, number, windows[number])
            sizes.append(len(picture.jpeg))

        await paint()
        painted = await _spent_by(triton, paint, seconds)
        await models.encode(AVATAR, samples)
        encoded = await _spent_by(triton, lambda: models.encode(AVATAR, samples), seconds / 2)
    return {
        "picture_core_s": max(0.0, painted - network_core_s),
        "vector_core_s": encoded,
        "live_picture_bytes": statistics.mean(sizes),
    }


async def _spent_by(triton: Server, call: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Return Triton's core seconds of one call, made one after another."""
    spent, count, end_s = Spent(triton_processes(triton.grpc_port)), 0, time.perf_counter() + seconds
    while time.perf_counter() < end_s:
        await call()
        count += 1
    return spent.all_s() / count


async def _through_bridge(
    triton: Server, bridge: BridgeProcess, name: str, callers: int, seconds: float
) -> Costs:
    """Measure what the bridge, its clients and, from the cache, Triton spend on a frame."""
    messages = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]
    await request_without_pause(bridge.port, callers, messages, 0.5)
    ours, theirs = Spent([bridge.pid]), Spent(triton_processes(triton.grpc_port))
    done = await request_without_pause(bridge.port, callers, messages, seconds)
    count = len(done.latencies_ms)
    if not count:
        raise LoadFailed(f"{name} frames through the bridge", f"none in {seconds:g} s")
    costs: Costs = {
        f"bridge_{name}_core_s": ours.main_s() / count,
        f"client_{name}_core_s": ours.own_s() / count,
    }
    if name == "cached":  # the bridge's other threads run beside it, as Triton does
        costs["hit_core_s"] = (theirs.all_s() + ours.all_s() - ours.main_s()) / count
    return costs


async def _computed_through_bridge(
    triton: Server, bridge: BridgeProcess, network_width: float, seconds: float
) -> Costs:
    """Measure one caller of computed frames through the bridge: what all parts spend, and the network beside them.

    Its threads, which wait for each other, lose more by what runs between frames than that takes.
    """
    with GrpcCaller(triton.grpc_url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
        before = caller.statistics(f"{AVATAR}_unet")
        costs = await _through_bridge(triton, bridge, "computed", 1, seconds)
        stage = stages_between(before, caller.statistics(f"{AVATAR}_unet"))
    return {**costs, "network_core_s": network_width * stage.infer_ms / 1000}


async def _delay(bridge: BridgeProcess, costs: Costs) -> Costs:
    """Measure what a lone caller of cached frames waits for besides what all parts spend when they are busy."""
    messages = [frame_message(AVATAR, frame_id) for frame_id in range(FRAMES)]
    alone = await request_without_pause(bridge.port, 1, messages, 1.0)
    if not alone.latencies_ms:
        raise LoadFailed("a lone caller of cached frames", "none in 1 s")
    busy_s = sum(costs[name] for name in ("bridge_cached_core_s", "client_cached_core_s", "hit_core_s"))
    return {"bridge_delay_s": max(0.0, statistics.median(alone.latencies_ms) / 1000 - busy_s)}


def _fill_cache(url: str) -> Costs:
    with GrpcCaller(url, AVATAR, itertools.cycle(range(FRAMES))) as caller:
        return {"clip_picture_bytes": statistics.mean([float(caller.call()) for _ in range(FRAMES)])}


def _around(triton: Server, bridge: BridgeProcess) -> Costs:
    """Count series of metrics, and measure memory."""
    bridge_lines = _series(f"http://127.0.0.1:{bridge.port}/metrics")
    of_upstreams = sum("upstream=" in line for line in bridge_lines)
    return {
        "bridge_series": len(bridge_lines) - of_upstreams,
        "bridge_series_per_upstream": of_upstreams,
        "triton_series": len(_series(triton.metrics_url)),
        "triton_memory_bytes": triton_bytes(triton.grpc_port),
        "bridge_memory_bytes": bridge.resident_bytes(),
    }


def _series(url: str) -> list[str]:
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


async def _bridge_alone(seconds: float) -> Costs:
    """Measure what live sessions, speaking and silent, cost the bridge before a Triton that computes nothing."""
    sessions = 4
    with running("the stand-in for Triton", ["-m", "benchmarks.baselines.stand_in"]) as port:
        async with running_bridge(f"127.0.0.1:{port}", *LIVE_OPTIONS) as bridge:
            await speak(bridge.port, stand_in.AVATAR, 1, MICROPHONE, 2.0, 1)  # warms its code
            spent = Spent([bridge.pid])
            heard = await speak(bridge.port, stand_in.AVATAR, sessions, MICROPHONE, seconds, 1)
            costs: Costs = {
                "bridge_picture_core_s": spent.all_s() / max(1, heard.pictures),
                "client_picture_core_s": spent.own_s() / max(1, heard.pictures),
            }
            make = lambda: SpeechSocket(bridge.port, stand_in.AVATAR, Heard())  # noqa: E731
            async with opened(bridge.port, [make] * sessions) as sockets:
                await asyncio.gather(*(socket.start() for socket in sockets))
                await asyncio.sleep(
                    stand_in.FRAMES / FPS
                )  # the clip once: then all silent pictures are remembered
                spent = Spent([bridge.pid])
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(
                        asyncio.gather(*(socket.until_ended(1) for socket in sockets)), seconds
                    )
                costs["bridge_silent_core_s"] = spent.all_s() / (sessions * seconds * FPS)
    return costs
