"""1 to 20 Triton servers behind one ``call``: who is ready, whose turn it is, and the second try.

A probe task per upstream keeps its state. A call that loses its connection marks the upstream down at once and wakes
its probe; one that is late wakes it, too; and where a probe gets no answer, the calls in flight go elsewhere. Every
request here is idempotent, so it can be tried on another at any time: ``tries.py``.

Where upstreams are found by DNS, one more task follows its changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeVar

from bridge.access.tls import TritonTls
from bridge.config import MAX_UPSTREAMS, BridgeConfig
from bridge.discovery import Discovery, Resolve, lookup
from bridge.errors import BridgeError, InferTimeout, NoneReadyInTime, NoUpstreamReady, UpstreamLost
from bridge.latency import Latencies
from bridge.tries import Budget, Call, Tries
from bridge.triton import InferRequest, InferResponse, TritonClient
from bridge.turns import Turns
from bridge.upstream import Connect, Lease, Upstream

__all__ = ["Balancer"]

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class Balancer:
    """The upstreams of one bridge: ``async with Balancer(config) as balancer``.

    On entry every name was resolved and every upstream probed once; on exit the probes are stopped and the
    channels closed. Entering raises ``UnresolvableUpstream`` for a host name that DNS does not know, and
    ``NoneReadyInTime`` if none is ready within ``require_ready_s``, where that is set.

    Attributes:
        upstreams: Those that take calls, or will once they are ready; changes as DNS does.
        latencies: What calls usually take.
        budget: How many of them may be tried twice.
    """

    def __init__(
        self, config: BridgeConfig, resolve: Resolve = lookup, connect: Connect = TritonClient
    ) -> None:
        self.upstreams: list[Upstream] = []
        self.latencies = Latencies()
        self.budget = Budget()
        self._config = config
        self._secret = config.read_triton_secret()
        self._tls: TritonTls | None = None
        if config.triton_ca_file:
            self._tls = TritonTls(
                config.triton_ca_file, config.triton_cert_file, config.triton_key_file, config.triton_tls_name
            )
        self._discovery = Discovery(config.addresses, resolve)
        self._connect = connect
        self._probes: dict[Upstream, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._adopted: set[asyncio.Task[Any]] = set()
        self._following: asyncio.Task[None] | None = None
        self._left_out: list[str] = []
        self._turn = 0
        self._turns = Turns(self._pick)
        self._choose = self._round_robin if config.policy == "round_robin" else self._least_loaded

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
    def healthy_count(self) -> int:
        """How many upstreams are ready now and answer."""
        return sum(upstream.healthy for upstream in self.upstreams)

    @property
    def waiting_count(self) -> int:
        """How many inferences wait for their turn now."""
        return self._turns.waiting

    @property
    def unresolved_count(self) -> int:
        """How many names had a failed lookup last; their known addresses stay."""
        return len(self._discovery.failing)

    async def call(self, call: Call[Answer], kind: str = "") -> Answer:
        """Run ``call`` on a ready upstream; if that one is late, lost or fails, run it once more on another.

        One that does not know the model hands on to the others: an avatar may be loaded on some of them only.

        Args:
            call: What to run; it must be harmless to run it twice.
            kind: Which calls take about as long as this one: a model's name.

        Raises:
            NoUpstreamReady: If none is ready, the second was lost as well, or one that cannot be asked now may be
                the one that knows the model.
            UnknownModel: If none of them knows it.
            BridgeError: Whatever else ``call`` raises.
        """
        self._turn += 1  # per call, not per try: else every call might begin at one that has to hand it on
        lease = self.lease_next(kind, ())
        if lease is None:
            raise self._no_upstream_ready()
        return await self._try(call, kind, lease)

    async def infer(
        self, request: InferRequest, timeout_s: float, *, is_urgent: bool = False
    ) -> InferResponse:
        """Run one inference as ``call`` does, once it is the turn of the client that asks.

        Args:
            request: What to run; Triton drops it when it has waited for ``timeout_s`` in a queue there.
            timeout_s: The deadline, from its turn on.
            is_urgent: Whether it comes before others, and rather waits than be refused: a live session's.

        Raises:
            Overloaded: If it was not its turn in time, or Triton's queues are full.
            BridgeError: As ``call``.
        """
        kind = request.model_name
        request.parameters["timeout"].int64_param = round(timeout_s * 1e6)
        self._turn += 1
        lease = await self._turns.enter(kind, self._patience_s(kind), timeout_s, is_urgent=is_urgent)
        response = await self._try(lambda triton: triton.infer(request, timeout_s), kind, lease)
        if not is_urgent:  # what is painted for a live session is asked for once
            self._warm(request, timeout_s)
        return response

    async def call_all(self, call: Call[Answer], grace_s: float | None = None) -> list[Answer]:
        """Run ``call`` on every ready upstream, and return the answers of those that were not lost or late meanwhile.

        Args:
            call: What to run.
            grace_s: How long others may take once one has answered; None: as long as ``call`` itself lets them.

        Raises:
            NoUpstreamReady: If none is ready, or all were lost.
            InferTimeout: If none answered, and one was late.
            BridgeError: Whatever else ``call`` raises.
        """

        async def ask(upstream: Upstream) -> Answer:
            with upstream.lease() as client:
                return await call(client)

        tasks = [asyncio.create_task(ask(upstream)) for upstream in self.upstreams if upstream.ready]
        try:
            await _answered(tasks, grace_s)
            return self._gathered([task for task in tasks if task.done()])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _gathered(self, tasks: Sequence[asyncio.Task[Answer]]) -> list[Answer]:
        failures = [exc for task in tasks if (exc := task.exception()) is not None]
        for exc in failures:
            if not isinstance(exc, (UpstreamLost, InferTimeout)):
                raise exc
        answers = [task.result() for task in tasks if task.exception() is None]
        if not answers:
            late = [exc for exc in failures if isinstance(exc, InferTimeout)]
            raise late[0] if late else self._no_upstream_ready()
        return answers

    def lease_next(self, kind: str, asked: Sequence[Upstream], with_room: bool = False) -> Lease | None:
        """Return a lease of the ready upstream whose turn it is, of those not asked; None if there is none.

        Args:
            kind: What it is to be asked; one that fails such calls is asked only where all others do.
            asked: Whom not to take.
            with_room: Whether only one whose limit is not reached will do.
        """
        ready = [upstream for upstream in self.upstreams if upstream.ready and upstream not in asked]
        working = [upstream for upstream in ready if not upstream.recovery.is_failing(kind)] or ready
        if with_room:
            working = [upstream for upstream in working if upstream.has_room]
        return self._choose(working).take(is_limited=with_room) if working else None

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Own a try that goes on after its call was answered."""
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    def blame(self, upstream: Upstream, kind: str, call: Call[Any]) -> None:
        """Note that an upstream failed, or left unanswered, a call that another one answered."""
        upstream.recovery.blame(kind, call)

    async def _try(self, call: Call[Answer], kind: str, lease: Lease) -> Answer:
        tries = Tries(self, kind, call)
        answer = await tries.run(lease)
        if answer is None:
            raise self._reason(tries)
        return answer

    def _warm(self, request: InferRequest, timeout_s: float) -> None:
        """Ask the idle among those that came back as well, whose answer nobody waits for."""
        for upstream in self.upstreams:
            if upstream.ready and upstream.warming.is_due and not upstream.inflight and self.ready_count > 1:
                self.adopt(asyncio.create_task(self._copy(upstream.take(), request, timeout_s)))

    async def _copy(self, lease: Lease, request: InferRequest, timeout_s: float) -> None:
        upstream, kind = lease.upstream, request.model_name
        try:
            with lease as client:
                await client.infer(request, timeout_s)
        except BridgeError:
            return  # the lease has noted it
        upstream.note_pace(lease.duration_s / self.latencies.late_s(kind))
        upstream.warming.note(lease.duration_s, self.latencies.usual_s(kind))

    def _pick(self, kind: str) -> Lease | None:
        """Return a lease for the next in turn, None while no upstream has room.

        Raises:
            NoUpstreamReady: If none is ready.
        """
        if not self.ready_count:
            raise self._no_upstream_ready()
        return self.lease_next(kind, (), with_room=True)

    def _patience_s(self, kind: str) -> float:
        """Return how long a call may wait for its turn: a slow model's, about as long as it takes."""
        usual_s = max(upstream.limit.alone_s(kind) for upstream in self.upstreams) if self.upstreams else 0.0
        return max(self._config.queue_wait_s, usual_s)

    def _make(self, address: str, is_newcomer: bool) -> Upstream:
        return Upstream(
            address,
            self._secret,
            tls=self._tls,
            is_newcomer=is_newcomer,
            on_silence=self._move_calls,
            on_change=self._turns.wake,
            connect=self._connect,
        )

    def _move_calls(self, silent: Upstream) -> None:
        """Have the calls of an upstream that does not answer its probe made elsewhere, if there is one to make them."""
        silent.note_late()
        if any(upstream.ready for upstream in self.upstreams if upstream is not silent):
            silent.let_go()

    async def _start(self) -> None:
        config = self._config
        addresses = (await self._discovery.start(config.resolve_timeout_s))[:MAX_UPSTREAMS]
        self.upstreams += [self._make(address, False) for address in addresses]
        await asyncio.gather(*(upstream.probe(config.probe_timeout_s) for upstream in self.upstreams))
        if waiting := [upstream.address for upstream in self.upstreams if not upstream.ready]:
            logger.warning("not ready yet, and waited for: Triton at %s", ", ".join(waiting))
        for upstream in self.upstreams:
            upstream.is_newcomer = True
            self._start_probe(upstream)
        if self._discovery.dynamic:
            self._following = asyncio.create_task(self._follow_dns())
        if config.require_ready_s:
            await self._wait_for_one(config.require_ready_s)

    async def _stop(self) -> None:
        tasks = [
            *self._probes.values(),
            *self._leaving,
            *self._adopted,
            *filter(None, [self._following]),
        ]
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
            self.upstreams.append(self._make(address, True))
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

    def _reason(self, tries: Tries[Any]) -> BridgeError:
        """Return why a call got no answer."""
        for failure in tries.failures:
            if not isinstance(failure, UpstreamLost):
                return failure
        if tries.unknown is not None and not tries.failures and self.ready_count == len(self.upstreams):
            return tries.unknown
        error = self._no_upstream_ready(tries.unknown is not None and len(tries.failures) < 2)
        error.__cause__ = tries.failures[-1] if tries.failures else None
        return error

    def _no_upstream_ready(self, of_those_that_know: bool = False) -> NoUpstreamReady:
        return NoUpstreamReady(self.ready_count, len(self.upstreams), of_those_that_know)

    def _round_robin(self, ready: list[Upstream]) -> Upstream:
        return ready[self._turn % len(ready)]

    def _least_loaded(self, ready: list[Upstream]) -> Upstream:
        least = min(upstream.load for upstream in ready)
        return self._round_robin([upstream for upstream in ready if upstream.load <= least])


async def _answered(tasks: Sequence[asyncio.Task[Any]], grace_s: float | None) -> None:
    """Wait until all have ended or, where there is a grace, until it is over after the first answer."""
    pending, timeout_s = set(tasks), None
    while pending:
        done, pending = await asyncio.wait(
            pending,
            timeout=timeout_s,
            return_when=asyncio.FIRST_COMPLETED if grace_s else asyncio.ALL_COMPLETED,
        )
        if not done:
            return
        if any(task.exception() is None for task in done):
            timeout_s = grace_s
