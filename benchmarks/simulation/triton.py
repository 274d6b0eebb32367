"""A simulated Triton: its response cache, its models with instances and batches, and the client that a bridge asks.

An avatar's ensemble is what is around the network (lookup, JPEG, gRPC), on the machine's cores, and the network, on the
same cores or on a GPU. Vectors of speech have a model of their own.
"""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import simpy

from benchmarks.simulation.cache import ResponseCache
from benchmarks.simulation.clock import SimulatedLoop
from benchmarks.simulation.cores import Cores
from bridge.access.tls import TritonTls
from bridge.errors import InferTimeout, UpstreamLost
from bridge.triton import TritonClient
from bridge.upstream import Connect

__all__ = ["Ask", "Kind", "Model", "SimulatedClient", "SimulatedTriton", "TritonCosts", "connecting"]


ANSWER = object()
"""What the balancer is given for a response: nobody looks into it."""


Happenings = Generator[simpy.Event, Any, None]
"""A SimPy process: yields what it waits for."""


class Kind(enum.Enum):
    """What Triton is asked for: a frame of a clip, vectors of speech, or a picture of a live session."""

    FRAME = "frame"
    VECTORS = "vectors"
    PICTURE = "picture"


class _Parameters:
    """Takes the time-out that the balancer writes into a request, and forgets it: these models have no queue policy."""

    _parameter = SimpleNamespace(int64_param=0)

    def __getitem__(self, name: str) -> SimpleNamespace:
        return self._parameter


@dataclass(frozen=True)
class Ask:
    """A request, with what the balancer reads of one.

    Attributes:
        avatar: Whose.
        kind: What is asked for.
        frame_id: Which frame of its clip.
        count: How many vectors.
    """

    avatar: str
    kind: Kind = Kind.FRAME
    frame_id: int = 0
    count: int = 1
    parameters = _Parameters()

    @property
    def model_name(self) -> str:
        """The Triton model: the balancer keeps what calls of each take."""
        return {Kind.FRAME: "", Kind.VECTORS: "_speech", Kind.PICTURE: "_live"}[self.kind] + self.avatar


@dataclass(frozen=True, kw_only=True)
class TritonCosts:
    """What a Triton spends, and how it is set up.

    Attributes:
        network_s: Core seconds, or seconds of the GPU, of the network for one frame more in a batch.
        network_fixed_s: The same, for a batch of any size.
        network_width: Cores that one instance uses; 1.0 of a GPU.
        frame_core_s: Core seconds around the network, for one frame: lookup, JPEG, gRPC.
        picture_core_s: The same, for one picture of a live session.
        hit_core_s: Core seconds of a frame from the response cache.
        vector_s: As ``network_s``, for one vector of speech.
        delay_s: What a computed frame waits for threads and processes to be woken, without computing.
        spread: Factors of the network's time, equally likely, whose mean is 1.
        instances: Of each avatar's network.
        batch: The most frames in one execution; 1 is without batching.
        cache_bytes: Of the response cache; 0 is none.
        picture_bytes: What one frame takes there.
    """

    network_s: float
    network_fixed_s: float = 0.0
    network_width: float = 1.0
    frame_core_s: float = 0.0
    picture_core_s: float = 0.0
    hit_core_s: float = 0.0
    vector_s: float = 0.0
    delay_s: float = 0.0
    spread: Sequence[float] = (1.0,)
    instances: int = 1
    batch: int = 1
    cache_bytes: int = 0
    picture_bytes: int = 1


class Model:
    """One model: its requests wait for an instance, which takes as many of them as a batch may have.

    Attributes:
        waited_s: How long all requests have waited, together.
        count: How many have been given to an instance.
    """

    def __init__(
        self,
        env: simpy.Environment,
        device: Cores,
        *,
        instances: int,
        batch: int,
        item_s: float,
        fixed_s: float = 0.0,
        width: float = 1.0,
        spread: Sequence[float] = (1.0,),
        random: Random | None = None,
    ) -> None:
        self.waited_s = 0.0
        self.count = 0
        self._env, self._device = env, device
        self._free, self._batch = instances, batch
        self._item_s, self._fixed_s, self._width = item_s, fixed_s, width
        self._spread, self._random = spread, random or Random(0)
        self._waiting: deque[tuple[float, int, simpy.Event]] = deque()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def put(self, items: int = 1) -> simpy.Event:
        """Return an event that happens once a request of so many items has been executed."""
        done = self._env.event()
        self._waiting.append((self._env.now, items, done))
        self._begin()
        return done

    def _begin(self) -> None:
        if not self._free or not self._waiting:
            return
        self._free -= 1
        taken: list[simpy.Event] = []
        items = 0
        while self._waiting and (not taken or items + self._waiting[0][1] <= self._batch):
            since_s, count, done = self._waiting.popleft()
            self.waited_s += self._env.now - since_s
            self.count += 1
            items += count
            taken.append(done)
        amount_s = (self._fixed_s + items * self._item_s) * self._random.choice(self._spread)
        running = self._device.work(amount_s, self._width)
        assert running.callbacks is not None
        running.callbacks.append(lambda _: self._end(taken))

    def _end(self, taken: Sequence[simpy.Event]) -> None:
        self._free += 1
        self._begin()
        for done in taken:
            done.succeed()


class SimulatedTriton:
    """One Triton.

    Args:
        loop: Whose time it is.
        costs: What it spends.
        cores: Its machine's; shared, where others are on it.
        device: Where networks run: a GPU, or ``cores``.
        random: Its own source of chance.
        is_alone: Whether nobody else is on these cores.

    Attributes:
        is_up: Whether it runs.
        hits: Frames that its response cache answered.
        misses: Frames that it computed.
    """

    def __init__(
        self,
        loop: SimulatedLoop,
        costs: TritonCosts,
        cores: Cores,
        device: Cores,
        random: Random,
        *,
        is_alone: bool = True,
    ) -> None:
        self.is_up = True
        self._is_alone = is_alone
        self.hits = self.misses = 0
        self._is_stopped = False
        self._loop, self._env, self._costs = loop, loop.env, costs
        self._cores, self._device, self._random = cores, device, random
        self._calls: dict[asyncio.Future[None], None] = {}
        self._forget()

    def _forget(self) -> None:
        self._networks: dict[str, Model] = {}
        self._cache = ResponseCache(self._costs.cache_bytes, self._costs.picture_bytes)
        self._speech = self._model(self._costs.vector_s, 0.0, instances=1)

    @property
    def queue_s(self) -> float:
        """The mean time that a request for a network has waited in Triton's queue since the start."""
        count = sum(model.count for model in self._networks.values())
        return sum(model.waited_s for model in self._networks.values()) / count if count else 0.0

    @property
    def answers_probes(self) -> bool:
        """Whether a probe gets an answer."""
        return self.is_up and not self._is_stopped

    def fill_cache(self, avatar: str, frame_ids: Sequence[int]) -> None:
        """Have frames in the response cache, as if they had been asked for before."""
        for frame_id in frame_ids:
            self._cache.keep(avatar, frame_id)

    def kill(self) -> None:
        """End it, as SIGKILL does: what is in flight is lost at once.

        On a machine of its own nothing goes on computing; on a shared one, what was begun still runs to its end.
        """
        self.is_up = False
        if self._is_alone:
            self._cores.clear()
            self._device.clear()
        self._forget()
        for future in [future for future in self._calls if not future.done()]:
            future.set_exception(UpstreamLost("a simulated Triton", "connection reset"))
        self._calls.clear()

    def start(self) -> None:
        """Be ready, with an empty cache."""
        self.is_up = True

    def stop(self) -> None:
        """Stand still, as SIGSTOP does: connections stay open and nothing is answered."""
        self._is_stopped = True
        self._cores.stop()
        self._device.stop()

    def resume(self) -> None:
        """Go on, as SIGCONT does."""
        self._is_stopped = False
        self._cores.resume()
        self._device.resume()

    async def infer(self, ask: Ask, timeout_s: float) -> None:
        """Answer a request.

        Raises:
            UpstreamLost: If it does not run, or ends meanwhile.
            InferTimeout: If it takes longer than ``timeout_s``.
        """
        if not self.is_up:
            raise UpstreamLost("a simulated Triton", "connection refused")
        future = self._loop.create_future()
        self._calls[future] = None
        late = self._loop.call_later(timeout_s, self._time_out, future, ask, timeout_s)
        self._env.process(self._serve(ask, future))
        try:
            await future
        finally:
            late.cancel()
            self._calls.pop(future, None)

    def _time_out(self, future: asyncio.Future[None], ask: Ask, timeout_s: float) -> None:
        if not future.done():
            future.set_exception(InferTimeout(ask.model_name, timeout_s))

    def _serve(self, ask: Ask, future: asyncio.Future[None]) -> Happenings:
        costs = self._costs
        if ask.kind is Kind.VECTORS:
            yield self._speech.put(ask.count)
        elif ask.kind is Kind.FRAME and self._is_cached(ask):
            yield self._cores.work(costs.hit_core_s * self._random.choice(costs.spread))
        else:
            around_s = costs.frame_core_s if ask.kind is Kind.FRAME else costs.picture_core_s
            yield self._env.timeout(costs.delay_s)
            yield self._cores.work(around_s / 2)
            yield self._network(ask.avatar).put()
            yield self._cores.work(around_s / 2)
            if ask.kind is Kind.FRAME:
                self._cache.keep(ask.avatar, ask.frame_id)
        if not future.done():
            future.set_result(None)

    def _is_cached(self, ask: Ask) -> bool:
        is_hit = self._cache.has(ask.avatar, ask.frame_id)
        self.hits += is_hit
        self.misses += not is_hit
        return is_hit

    def _network(self, avatar: str) -> Model:
        if avatar not in self._networks:
            costs = self._costs
            self._networks[avatar] = self._model(costs.network_s, costs.network_fixed_s, costs.instances)
        return self._networks[avatar]

    def _model(self, item_s: float, fixed_s: float, instances: int) -> Model:
        costs = self._costs
        return Model(
            *(self._env, self._device),
            instances=instances,
            batch=costs.batch,
            item_s=item_s,
            fixed_s=fixed_s,
            width=costs.network_width,
            spread=costs.spread,
            random=self._random,
        )


class SimulatedClient(TritonClient):
    """What a bridge holds of a simulated Triton in place of a gRPC channel."""

    def __init__(self, address: str, triton: SimulatedTriton, link_s: float) -> None:
        self.address = address
        self._triton = triton
        self._link_s = link_s

    async def close(self) -> None:
        """Close nothing."""

    async def is_server_ready(self, timeout_s: float) -> bool | None:
        """Return True, or None without an answer: at once where nobody listens, else after ``timeout_s``."""
        if self._triton.answers_probes:
            return True
        if self._triton.is_up:
            await asyncio.sleep(timeout_s)
        return None

    async def infer(self, request: Any, timeout_s: float) -> Any:
        """Ask the simulated Triton, a link away."""
        if self._link_s:
            await asyncio.sleep(2 * self._link_s)
        await self._triton.infer(request, timeout_s)
        return ANSWER


def connecting(tritons: dict[str, SimulatedTriton], link_s: float) -> Connect:
    """Return what a balancer makes its clients with."""

    def connect(address: str, secret: str, tls: TritonTls | None) -> SimulatedClient:
        return SimulatedClient(address, tritons[address], link_s)

    return connect
