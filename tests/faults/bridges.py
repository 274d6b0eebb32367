"""A bridge as a process of its own, and what it says about itself."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Sequence

from benchmarks.triton import BridgeProcess, running_bridge
from tests.bridge.helpers import http
from tests.conftest import CLIP_FRAMES
from tests.faults.observing import Observation
from tests.faults.tritons import AVATAR
from tests.faults.viewers import playing

__all__ = ["healthy_count", "watched"]


@contextlib.asynccontextmanager
async def watched(
    addresses: Sequence[str], viewers: int = 8, frames_per_s: float = 25.0
) -> AsyncIterator[tuple[Observation, BridgeProcess]]:
    """Run a bridge of default settings before these Tritons, and have viewers play from it in a steady state."""
    async with (
        running_bridge(",".join(addresses)) as bridge,
        playing(bridge.port, AVATAR, CLIP_FRAMES, viewers, frames_per_s) as players,
    ):
        observation = Observation(players)
        await observation.settle()
        yield observation, bridge


async def healthy_count(bridge: BridgeProcess) -> int:
    """Return how many Tritons the bridge takes for healthy."""
    _, _, body = await http(bridge.port, "/health")
    return int(json.loads(body)["healthy_count"])
