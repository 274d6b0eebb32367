"""Every Triton behind a bridge is replaced in turn, as an operator updates them, under load."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator

import bridge.server
from bridge.config import BridgeConfig
from bridge.upstream import Upstream
from embedded import EmbeddedConfig, serve
from tests.conftest import Workspace
from tests.test_recovery import BACK_WITHIN_S, CLIENTS, play, until

TRITONS = 2


async def test_no_frame_is_lost(workspace: Workspace) -> None:
    """Each Triton is stopped as by SIGTERM and started again on its ports, one after another: no frame fails."""
    configs = [config_on_free_ports(workspace) for _ in range(TRITONS)]
    addresses = tuple(f"127.0.0.1:{config.grpc_port}" for config in configs)
    async with contextlib.AsyncExitStack() as first:
        running = [await first.enter_async_context(started(config)) for config in configs]
        limits = BridgeConfig(
            upstreams=addresses,
            port=0,
            grpc_port=-1,
            infer_timeout_s=BACK_WITHIN_S,
            queue_wait_s=BACK_WITHIN_S,  # what is computed at first is more than two cores can at once
        )
        async with bridge.server.serve(limits) as front, contextlib.AsyncExitStack() as second:
            stop, busy = asyncio.Event(), asyncio.Event()
            clients = [asyncio.create_task(play(front, stop, busy)) for _ in range(CLIENTS)]
            await asyncio.wait_for(busy.wait(), BACK_WITHIN_S)
            for config, triton, upstream in zip(configs, running, front.balancer.upstreams, strict=True):
                await triton.aclose()
                await second.enter_async_context(started(config))
                await asyncio.wait_for(used_again(upstream), BACK_WITHIN_S)
            stop.set()
            answers = [answer for answers in await asyncio.gather(*clients) for answer in answers]
    failed = [answer for answer in answers if answer[:2] != b"\xff\xd8"]
    print(f"\n{len(answers)} frames while {TRITONS} Tritons were replaced, {len(failed)} failed")
    assert failed == []


def config_on_free_ports(workspace: Workspace) -> EmbeddedConfig:
    with contextlib.ExitStack() as held:
        socks = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        http, grpc, metrics = (sock.getsockname()[1] for sock in socks)
    config = EmbeddedConfig(model_repository=workspace.model_repository, strategy="replay", stop_timeout_s=5)
    return dataclasses.replace(config, http_port=http, grpc_port=grpc, metrics_port=metrics)


@contextlib.asynccontextmanager
async def started(config: EmbeddedConfig) -> AsyncIterator[contextlib.AsyncExitStack]:
    """Run one Triton; yield what stops it."""
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(serve(config))
        yield stack


async def used_again(upstream: Upstream) -> None:
    """Return when the bridge gives a Triton frames again."""
    given = upstream.total_requests

    async def is_used() -> bool:
        return upstream.ready and upstream.total_requests > given

    await until(is_used)
