"""Machines with Tritons on them and the bridges before these: laid out, started, and run on a simulated clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from random import Random

from benchmarks.simulation.clock import SimulatedLoop, simulated_time
from benchmarks.simulation.cores import Cores, Thread
from benchmarks.simulation.outcome import Outcome
from benchmarks.simulation.triton import Ask, SimulatedTriton, TritonCosts, connecting
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.errors import BridgeError
from bridge.turns import ask_as

__all__ = ["BridgeCosts", "Layout", "SimulatedBridge", "World", "simulate"]

LIMIT_S = 3600.0
DEFAULTS = BridgeConfig()
PORT = 8001


@dataclass(frozen=True, kw_only=True)
class BridgeCosts:
    """What a bridge spends, and the clients that share its machine.

    Attributes:
        frame_core_s: Core seconds for one frame of a clip.
        picture_core_s: Core seconds for one picture of a live session, with all that goes with it.
        silent_core_s: Core seconds for one remembered picture.
        client_core_s: Core seconds of the clients for one frame, where they are on the same machine.
        delay_s: What one frame waits for processes to be woken, without computing.
    """

    frame_core_s: float = 0.0
    picture_core_s: float = 0.0
    silent_core_s: float = 0.0
    client_core_s: float = 0.0
    delay_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What stands where.

    Attributes:
        tritons: How many, each on a machine of its own unless ``is_one_machine``.
        bridges: How many, each asking all Tritons, with a core of its own unless ``is_one_machine``.
        cores: Of a Triton's machine, or of the one machine.
        gpus: Of a Triton's machine; 0: networks run on its cores.
        is_one_machine: Whether Tritons, bridges and clients share the cores of one machine.
        link_s: One way between bridge and Triton.
        config: The bridges' settings.
        seed: Of chance.
    """

    tritons: int = 1
    bridges: int = 1
    cores: float = 2.0
    gpus: float = 0.0
    is_one_machine: bool = False
    link_s: float = 0.0
    config: BridgeConfig = DEFAULTS
    seed: int = 7


class SimulatedBridge:
    """A bridge: its one thread, and the real balancer.

    Attributes:
        balancer: The bridge's own.
        thread: Where all its Python runs.
        costs: What it spends.
        outgoing_bytes: What it has sent to clients.
    """

    def __init__(self, world: World, balancer: Balancer, thread: Thread) -> None:
        self.balancer = balancer
        self.thread = thread
        self.costs = world.bridge_costs
        self._world = world

    async def frame(self, client: str, ask: Ask) -> str:
        """Fetch a frame for a client; return ``ok`` or the error's code."""
        ask_as(client, has_window=True)
        return await self._answered(ask, self.costs.frame_core_s)

    async def _answered(self, ask: Ask, core_s: float) -> str:
        loop, costs = self._world.loop, self.costs
        if costs.client_core_s:
            await loop.until(self._world.clients.work(costs.client_core_s / 2))
        if costs.delay_s:
            await loop.until(loop.env.timeout(costs.delay_s))
        await loop.until(self.thread.work(core_s / 2))
        code = await self.asked(ask)
        await loop.until(self.thread.work(core_s / 2))
        if costs.client_core_s:
            await loop.until(self._world.clients.work(costs.client_core_s / 2))
        return code

    async def asked(self, ask: Ask, *, is_urgent: bool = False) -> str:
        """Have the balancer ask a Triton; return ``ok`` or the error's code."""
        config = self._world.layout.config
        timeout_s = config.speech_timeout_s if is_urgent else config.infer_timeout_s
        try:
            await self.balancer.infer(ask, timeout_s, is_urgent=is_urgent)
        except BridgeError as exc:
            return exc.code
        return "ok"


class World:
    """All of one simulation: ``async with world``.

    Attributes:
        loop: Its time.
        layout: What stands where.
        tritons: By number.
        bridges: By number.
        clients: The one thread of clients that share the machine.
        random: Chance, for loads.
    """

    def __init__(
        self, loop: SimulatedLoop, layout: Layout, triton_costs: TritonCosts, bridge_costs: BridgeCosts
    ) -> None:
        self.loop, self.layout, self.bridge_costs = loop, layout, bridge_costs
        self.random = Random(layout.seed)
        self.bridges: list[SimulatedBridge] = []
        self._shared = Cores(loop.env, layout.cores)
        self.clients = Thread(loop.env, self._cores_of(layout.cores))
        self.tritons = [self._triton(triton_costs, number) for number in range(layout.tritons)]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> World:
        addresses = {f"10.0.{n // 250}.{n % 250}:{PORT}": triton for n, triton in enumerate(self.tritons)}
        config = replace(self.layout.config, upstreams=tuple(addresses))
        for _ in range(self.layout.bridges):
            balancer = Balancer(config, _as_it_is, connecting(addresses, self.layout.link_s))
            await self._stack.enter_async_context(balancer)
            thread = Thread(self.loop.env, self._cores_of(1.0))
            self.bridges.append(SimulatedBridge(self, balancer, thread))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._stack.aclose()

    def _cores_of(self, count: float) -> Cores:
        return self._shared if self.layout.is_one_machine else Cores(self.loop.env, count)

    def _triton(self, costs: TritonCosts, number: int) -> SimulatedTriton:
        cores = self._cores_of(self.layout.cores)
        device = Cores(self.loop.env, self.layout.gpus) if self.layout.gpus else cores
        random = Random(f"{self.layout.seed} {number}")
        is_alone = not self.layout.is_one_machine
        return SimulatedTriton(self.loop, costs, cores, device, random, is_alone=is_alone)


def simulate(
    layout: Layout,
    triton_costs: TritonCosts,
    bridge_costs: BridgeCosts,
    load: Callable[[World], Awaitable[Outcome]],
) -> Outcome:
    """Start all parts, put a load on them, and return what its clients saw.

    Raises:
        TimeoutError: If the load does not end.
    """

    async def run(loop: SimulatedLoop) -> Outcome:
        async with World(loop, layout, triton_costs, bridge_costs) as world:
            return await load(world)

    with simulated_time() as loop:
        return loop.run(run(loop), LIMIT_S)


async def _as_it_is(host: str, port: int) -> list[str]:
    return [f"{host}:{port}"]
