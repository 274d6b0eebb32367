"""Loads under which a Triton dies, stands still, and comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from benchmarks.simulation.load import Load
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.world import World

__all__ = ["Failure", "failing"]


@dataclass(frozen=True)
class Failure:
    """What happens to the first Triton.

    Attributes:
        kind: ``kill``, or ``stop``: its connections stay and nothing is answered.
        after_s: When.
        down_s: For how long; a killed one has an empty cache then.
    """

    kind: str
    after_s: float
    down_s: float


def failing(load: Load, failure: Failure) -> Load:
    """Return a load during which the first Triton fails."""

    async def both(world: World) -> Outcome:
        breaking = world.loop.create_task(_break(world, failure))
        try:
            return await load(world)
        finally:
            breaking.cancel()
            await asyncio.gather(breaking, return_exceptions=True)

    return both


async def _break(world: World, failure: Failure) -> None:
    triton = world.tritons[0]
    end, begin = (triton.kill, triton.start) if failure.kind == "kill" else (triton.stop, triton.resume)
    await asyncio.sleep(failure.after_s)
    end()
    await asyncio.sleep(failure.down_s)
    begin()
