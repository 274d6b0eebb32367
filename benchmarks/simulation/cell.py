"""A cell: some Tritons, the bridges that ask all of them, and what they carry, frame by frame.

A bridge knows up to 20 Tritons, so a large fleet is many cells side by side, which share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.simulation import load, model
from benchmarks.simulation.capacity import most_carried
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.parameters import Parameters
from benchmarks.simulation.triton import TritonCosts
from benchmarks.simulation.world import Layout, World, simulate
from speech.contract import FPS

__all__ = [
    "BRIDGE_SHARE",
    "CPU",
    "GPU",
    "Carried",
    "Machine",
    "bridges_for",
    "carried",
    "layout",
    "queue_times",
]

BRIDGE_SHARE = 0.7
"""Of a bridge's core that is planned with: beyond it, events of many sessions at once make others late."""


@dataclass(frozen=True)
class Machine:
    """One kind of Triton's machine.

    Attributes:
        name: For people.
        is_assumed: Whether its figures are goals and assumptions, none of them measured.
        costs: From parameters and the bytes of a response cache to what a Triton spends.
        cores: Parameter with the machine's cores; empty: two, as measured.
        gpus: How many.
        usd_per_h: Parameter with its price.
        cell_tritons: Parameter with how many there are in a cell.
    """

    name: str
    is_assumed: bool
    costs: Callable[[Parameters, float], TritonCosts]
    cores: str
    gpus: float
    usd_per_h: str
    cell_tritons: str


CPU = Machine("CPU, 2 cores", False, model.cpu_triton, "", 0.0, "cpu_triton_usd_per_h", "cpu_cell_tritons")
GPU = Machine(
    "GPU (assumed)", True, model.gpu_triton, "gpu_host_cores", 1.0, "gpu_usd_per_h", "gpu_cell_tritons"
)


@dataclass(frozen=True)
class Carried:
    """What a cell carries of live sessions that all speak at once.

    Attributes:
        machine: Its Tritons' kind.
        tritons: How many.
        bridges: How many.
        sessions: That are carried.
        admitted: That its bridges admit by themselves.
        bridge_share: How busy the bridges' cores are then.
        outcome: What the sessions saw.
    """

    machine: Machine
    tritons: int
    bridges: int
    sessions: int
    admitted: int
    bridge_share: float
    outcome: Outcome

    @property
    def per_triton(self) -> float:
        """Sessions a Triton."""
        return self.sessions / self.tritons


def layout(machine: Machine, known: Parameters, tritons: int, bridges: int) -> Layout:
    """Return a cell's layout, each Triton on a machine of its own, each bridge with a core of its own."""
    return Layout(
        tritons=tritons,
        bridges=bridges,
        cores=known[machine.cores] if machine.cores else 2.0,
        gpus=machine.gpus,
        link_s=known["link_s"],
    )


def bridges_for(known: Parameters, sessions: float) -> int:
    """Return how many bridges so many speaking sessions need."""
    return max(1, math.ceil(sessions * FPS * known["bridge_picture_core_s"] / BRIDGE_SHARE))


def estimate(machine: Machine, known: Parameters) -> float:
    """Return about how many speaking sessions one Triton carries: what its network, or its cores, have time for."""
    if machine.gpus:
        return known["gpu_pictures_per_s"] / FPS
    picture_s = known["network_core_s"] + known["picture_core_s"] + known["vector_core_s"]
    return 2.0 / picture_s / FPS


def carried(machine: Machine, known: Parameters, tritons: int, seconds: float) -> Carried:
    """Simulate live sessions, less and more of them, until it is known how many a cell carries."""
    about = max(1, round(tritons * estimate(machine, known)))
    bridges = bridges_for(known, about)
    stands = layout(machine, known, tritons, bridges)
    costs, before = machine.costs(known, 0), model.bridge(known)
    sessions, outcome = most_carried(
        lambda count: simulate(stands, costs, before, load.live_sessions(count, seconds)), about
    )

    async def admit(world: World) -> Outcome:
        return Outcome(1.0, await load.admitted_sessions(world))

    admitted = simulate(stands, costs, before, admit).asked
    share = sessions * FPS * known["bridge_picture_core_s"] / bridges
    return Carried(machine, tritons, bridges, sessions, admitted, share, outcome)


def queue_times(found: Carried, known: Parameters, shares: list[float], seconds: float) -> list[float]:
    """Return how long requests wait in Triton's queue, in seconds, at shares of what a cell carries."""
    stands = layout(found.machine, known, found.tritons, found.bridges)
    costs = found.machine.costs(known, 0)
    counts = [max(1, round(share * found.sessions)) for share in shares]
    return [
        simulate(stands, costs, model.bridge(known), load.live_sessions(count, seconds)).queue_s
        for count in counts
    ]
