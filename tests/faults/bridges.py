"""A bridge as a process of its own, and what it says about itself."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from benchmarks.triton import BridgeProcess
from tests.bridge.helpers import http
from tests.conftest import CLIP_FRAMES
from tests.faults.observing import Observation
from tests.faults.tritons import AVATAR, Tritons
from tests.faults.viewers import playing

__all__ = ["both_healthy", "free_port", "healthy_count", "watched"]


@contextlib.asynccontextmanager
async def watched(
    tritons: Tritons,
    *options: str,
    addresses: Sequence[str] = (),
    viewers: int = 8,
    frames_per_s: float = 25.0,
    limit_s: float = 0.2,
    descriptors: int | None = None,
) -> AsyncIterator[tuple[Observation, BridgeProcess]]:
    """Run a bridge before both Tritons, and have viewers play from it in a steady state, no frame over ``limit_s``.

    Args:
        options: Further arguments of the bridge.
        addresses: What leads to the Tritons, where that is not their own addresses.
        viewers: How many there are; each plays ``frames_per_s``.
        descriptors: How many files and connections the bridge may have.
    """
    async with (
        tritons.bridge(*options, addresses=addresses, descriptors=descriptors) as bridge,
        playing(bridge.port, AVATAR, CLIP_FRAMES, viewers, frames_per_s) as players,
    ):
        observation = Observation(players)
        await observation.settle(limit_s)
        yield observation, bridge


async def healthy_count(bridge: BridgeProcess) -> int:
    """Return how many Tritons the bridge takes for healthy."""
    _, _, body = await http(bridge.port, "/health")
    return int(json.loads(body)["healthy_count"])


def both_healthy(bridge: BridgeProcess) -> Callable[[], Awaitable[bool]]:
    """Return the condition that the bridge uses both Tritons."""

    async def check() -> bool:
        return await healthy_count(bridge) == 2

    return check


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
