"""1 to 20 Triton servers behind one ``call``: who is ready, whose turn it is, and the second try.

A probe task per upstream keeps its state; nothing else asks. A call that loses its connection marks the
upstream down at once, wakes its probe, and, since every request here is idempotent, is tried once on another.
Once and no more: a request that brings Triton down must not bring them all down.

Where upstreams are found by DNS, one more task follows its changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

from bridge.config import MAX_UPSTREAMS, BridgeConfig
from bridge.discovery import Discovery, Resolve, lookup
from bridge.errors import InferTimeout, NoneReadyInTime, NoUpstreamReady, UnknownModel, UpstreamLost
from bridge.triton import TritonClient
from bridge.upstream import Upstream

__all__ = ["Balancer"]

Answer = TypeVar("Answer")
Call = Callable[[TritonClient], Awaitable[Answer]]

logger = logging.getLogger(__name__)


class Balancer:
    """The upstreams of one bridge: ``async with Balancer(config) as balancer``.

    On entry every name was resolved and every upstream probed once; on exit the probes are stopped and the
    channels closed. Entering raises ``UnresolvableUpstream`` for a host name that DNS does not know, and
    ``NoneReadyInTime`` if none is ready within ``require_ready_s``, where that is set.

    Attributes:
        upstreams: Those that take calls, or will once they are ready; changes as DNS does.
    """

    def __init__(self, config: BridgeConfig, resolve: Resolve = lookup) -> None:
        self.upstreams: list[Upstream] = []
        self._config = config
        self._secret = config.read_triton_secret()
        self._discovery = Discovery(config.addresses, resolve)
        self._probes: dict[Upstream, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._following: asyncio.Task[None] | None = None
        self._left_out: list[str] = []
        self._turn = 0
        self._choose = self._least_inflight if config.policy == "least_inflight" else self._round_robin

    async def __aenter__(self) -> Balancer:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    @property
    def ready_count(self) -> int:
        """How many upstreams are ready now."""
        return sum(upstream.ready for upstream in self.upstreams)

    @property
    def unresolved_count(self) -> int:
        """How many names had a failed lookup last; their known addresses stay."""
        return len(self._discovery.failing)

    async def call(self, call: Call[Answer]) -> Answer:
        """Run ``call`` on a ready upstream; if its connection is lost, run it once more on another.

        One that does not know the model hands on to the others: an avatar may be loaded on some of them only.

        Raises:
            NoUpstreamReady: If none is ready, the second was lost as well, or one that cannot be asked now may be
                the one that knows the model.
            UnknownModel: If none of them knows it.
            BridgeError: Whatever else ``call`` raises.
        """
        asked: list[Upstream] = []
        lost: UpstreamLost | None = None
        unknown: UnknownModel | None = None
        while (upstream := self._next(asked)) is not None:
            asked.append(upstream)
            try:
                with upstream.lease() as client:
                    return await call(client)
            except UnknownModel as exc:
                unknown = exc
            except UpstreamLost as exc:
                if lost is not None:
                    raise self._no_upstream_ready() from exc
                lost = exc
        if unknown is not None and lost is None and self.ready_count == len(self.upstreams):
            raise unknown
        raise self._no_upstream_ready(of_those_that_know=unknown is not None) from lost

    async def call_all(self, call: Call[Answer]) -> list[Answer]:
        """Run ``call`` on every ready upstream, and return the answers of those that were not lost or late meanwhile.

        Raises:
            NoUpstreamReady: If none is ready, or all were lost.
            InferTimeout: If none answered, and one was late.
            BridgeError: Whatever else ``call`` raises.
        """
        late: list[InferTimeout] = []

        async def ask(upstream: Upstream) -> list[Answer]:
            try:
                with upstream.lease() as client:
                    return [await call(client)]
            except UpstreamLost:
                return []
            except InferTimeout as exc:
                late.append(exc)
                return []

        ready = [upstream for upstream in self.upstreams if upstream.ready]
        answers = [answer for given in await asyncio.gather(*map(ask, ready)) for answer in given]
        if not answers:
            raise late[0] if late else self._no_upstream_ready()
        return answers

    async def _start(self) -> None:
        config = self._config
        addresses = (await self._discovery.start(config.resolve_timeout_s))[:MAX_UPSTREAMS]
        self.upstreams += [Upstream(address, self._secret) for address in addresses]
        await asyncio.gather(*(upstream.probe(config.probe_timeout_s) for upstream in self.upstreams))
        if waiting := [upstream.address for upstream in self.upstreams if not upstream.ready]:
            logger.warning("not ready yet, and waited for: Triton at %s", ", ".join(waiting))
        for upstream in self.upstreams:
            self._start_probe(upstream)
        if self._discovery.dynamic:
            self._following = asyncio.create_task(self._follow_dns())
        if config.require_ready_s:
            await self._wait_for_one(config.require_ready_s)

    async def _stop(self) -> None:
        tasks = [*self._probes.values(), *self._leaving, *filter(None, [self._following])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(upstream.client.close() for upstream in self.upstreams))

    async def _wait_for_one(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        while not self.ready_count:
            if loop.time() >= deadline_s:
                raise NoneReadyInTime(timeout_s, [upstream.address for upstream in self.upstreams])
            await asyncio.sleep(min(self._config.probe_interval_s, timeout_s))

    def _start_probe(self, upstream: Upstream) -> None:
        config = self._config
        probing = upstream.probe_forever(config.probe_interval_s, config.probe_timeout_s)
        self._probes[upstream] = asyncio.create_task(probing)

    async def _follow_dns(self) -> None:
        while True:
            await asyncio.sleep(self._config.dns_interval_s)
            self._update(await self._discovery.refresh())

    def _update(self, addresses: Sequence[str]) -> None:
        for upstream in [upstream for upstream in self.upstreams if upstream.address not in addresses]:
            self._remove(upstream)
        known = {upstream.address for upstream in self.upstreams}
        new = [address for address in addresses if address not in known]
        room = MAX_UPSTREAMS - len(self.upstreams)
        for address in new[:room]:
            logger.info("Triton at %s has joined", address)
            self.upstreams.append(Upstream(address, self._secret))
            self._start_probe(self.upstreams[-1])
        if new[room:] != self._left_out:
            self._left_out = new[room:]
            logger.warning("%d Tritons beyond %d are left out", len(self._left_out), MAX_UPSTREAMS)

    def _remove(self, upstream: Upstream) -> None:
        logger.info(
            "Triton at %s is no longer in DNS: it leaves after %d calls", upstream.address, upstream.inflight
        )
        self.upstreams.remove(upstream)
        self._probes.pop(upstream).cancel()
        leaving = asyncio.create_task(upstream.leave())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def _next(self, asked: Sequence[Upstream]) -> Upstream | None:
        if not asked:
            self._turn += (
                1  # per call, not per try: else every call might begin at one that has to hand it on
            )
        ready = [upstream for upstream in self.upstreams if upstream.ready and upstream not in asked]
        return self._choose(ready) if ready else None

    def _no_upstream_ready(self, of_those_that_know: bool = False) -> NoUpstreamReady:
        return NoUpstreamReady(self.ready_count, len(self.upstreams), of_those_that_know)

    def _round_robin(self, ready: list[Upstream]) -> Upstream:
        return ready[self._turn % len(ready)]

    def _least_inflight(self, ready: list[Upstream]) -> Upstream:
        fewest = min(upstream.inflight for upstream in ready)
        return self._round_robin([upstream for upstream in ready if upstream.inflight == fewest])
