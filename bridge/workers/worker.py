"""One of several processes of a bridge: it serves until its supervisor says so, or is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from bridge.config import BridgeConfig
from bridge.errors import START_ERRORS
from bridge.front.descriptors import raise_limit
from bridge.front.memory import give_memory_back
from bridge.logs import set_up_logging
from bridge.server import Bridge, serve
from bridge.workers.team import Team

__all__ = ["Listening", "work"]


@dataclass(frozen=True)
class Listening:
    """What a worker tells when it serves: the bridge's addresses, and how many of its Tritons are ready."""

    url: str
    grpc_address: str | None
    ready: int
    total: int

    @classmethod
    def of(cls, bridge: Bridge) -> Listening:
        """Return what a bridge that listens has to tell."""
        balancer = bridge.balancer
        return cls(bridge.url, bridge.grpc_address, balancer.ready_count, len(balancer.upstreams))


def work(config: BridgeConfig, team: Team, supervisor: Connection) -> None:
    """Serve, as the target of a process of ``multiprocessing``.

    Args:
        config: The bridge's settings; its ports are numbers.
        team: The workers, of which this is one.
        supervisor: Takes ``Listening``, or the error where the bridge cannot start; brings a byte, or its end, when
            it is to be stopped, and a second one when that cannot wait.
    """
    for number in (signal.SIGTERM, signal.SIGINT):  # a whole group of processes may get them: one decides
        signal.signal(number, signal.SIG_IGN)
    set_up_logging(config.log_level, config.log_format)
    raise_limit()
    give_memory_back()
    try:
        uvloop.run(_serve_until_told(config, team, supervisor))
    except START_ERRORS as exc:
        supervisor.send(exc)


async def _serve_until_told(config: BridgeConfig, team: Team, supervisor: Connection) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        is_gone = not os.read(supervisor.fileno(), 1)
        if stop.is_set():
            os._exit(1)
        stop.set()
        if is_gone:  # its end is there to be read for ever
            loop.remove_reader(supervisor.fileno())

    async with serve(config, team) as bridge:
        supervisor.send(Listening.of(bridge))
        loop.add_reader(supervisor.fileno(), told)
        await stop.wait()
    loop.remove_reader(supervisor.fileno())
