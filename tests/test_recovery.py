"""Four Triton processes behind a bridge, one of them killed under load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
from websockets.asyncio.client import connect

import bridge.server
from bridge.config import BridgeConfig
from bridge.server import Bridge
from bridge.triton import TritonClient
from bridge.upstream import Upstream
from embedded import EmbeddedConfig, Server
from tests.conftest import Workspace, running_triton
from tests.embedded.processes import find_family

PROCESSES = 4
CLIENTS = 4
INFLIGHT = 4
FRAME_IDS = range(4)
"""Few, so that caches hold them and the load is high."""

BACK_WITHIN_S = 90.0
POLL_S = 0.005


@pytest.fixture(scope="module")
def tritons(workspace: Workspace) -> Iterator[list[Server]]:
    """Four real Triton processes that answer repeated frames from their caches."""
    config = EmbeddedConfig(
        model_repository=workspace.model_repository,
        strategy="replay",
        processes=PROCESSES,
        http_port=0,
        stop_timeout_s=3,
    )
    with running_triton(config) as servers:
        yield servers


async def test_a_process_killed_under_load_costs_no_frame(tritons: list[Server]) -> None:
    """Of four Tritons one dies by SIGKILL: no client sees a failed frame, and it is back in the rotation."""
    addresses = tuple(server.grpc_url for server in tritons)
    # nothing here is late: four processes and their clients may share a busy machine's two cores
    config = BridgeConfig(
        upstreams=addresses, port=0, grpc_port=-1, infer_timeout_s=BACK_WITHIN_S, queue_wait_s=BACK_WITHIN_S
    )
    async with bridge.server.serve(config) as running:
        stop, busy = asyncio.Event(), asyncio.Event()
        clients = [asyncio.create_task(play(running, stop, busy)) for _ in range(CLIENTS)]
        await asyncio.wait_for(busy.wait(), BACK_WITHIN_S)
        victim = running.balancer.upstreams[1]
        find_family(f"--grpc-port={tritons[1].grpc_port}").member("tritonserver").kill()
        down_s, back_s = await asyncio.wait_for(watch(victim), BACK_WITHIN_S)
        stop.set()
        answers = [answer for answers in await asyncio.gather(*clients) for answer in answers]
    failed = [answer for answer in answers if answer[:2] != b"\xff\xd8"]
    print(
        f"\n{len(answers)} frames, {len(failed)} failed; Triton was away for {down_s:.2f} s, "
        f"and took frames {back_s:.3f} s after it answered that it is ready again"
    )
    assert failed == []
    assert len(answers) > CLIENTS * INFLIGHT


async def play(running: Bridge, stop: asyncio.Event, busy: asyncio.Event) -> list[bytes | str]:
    """Keep frames in flight until ``stop``; return all answers. Sets ``busy`` once all frames were seen."""
    answers: list[bytes | str] = []
    async with connect(f"ws://127.0.0.1:{running.port}/ws") as websocket:
        sent = 0
        while not (stop.is_set() and len(answers) == sent):
            while sent < len(answers) + INFLIGHT and not stop.is_set():
                await websocket.send(b"\x04demo" + FRAME_IDS[sent % len(FRAME_IDS)].to_bytes(4, "little"))
                sent += 1
            answers.append(await asyncio.wait_for(websocket.recv(), BACK_WITHIN_S))
            if len(answers) == PROCESSES * len(FRAME_IDS):
                busy.set()
    return answers


async def watch(victim: Upstream) -> tuple[float, float]:
    """Return for how long the killed Triton was away, and how long after that it was given its next frame."""

    async def is_out() -> bool:
        return not victim.ready

    async def is_used() -> bool:
        return victim.total_requests > given

    await until(is_out)
    lost_s, given = time.perf_counter(), victim.total_requests
    await until(lambda: answers_ready(victim.address))
    returned_s = time.perf_counter()
    await until(is_used)
    return returned_s - lost_s, time.perf_counter() - returned_s


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once the condition holds; it is asked often, as a Triton's return is told to nobody."""
    while True:
        if await condition():
            return
        await asyncio.sleep(POLL_S)


async def answers_ready(address: str) -> bool:
    """Ask Triton over a connection of its own, whose back-off tells nothing of the bridge's."""
    client = TritonClient(address)
    try:
        return await client.is_server_ready(1.0)
    finally:
        await client.close()
