"""One Triton server as the balancer sees it: its state, its counts, and the probe that keeps them true."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from bridge.access.tls import TritonTls
from bridge.errors import InferTimeout, InternalError, Overloaded, Refused, UpstreamLost
from bridge.limit import Limit
from bridge.recovery import Recovery
from bridge.triton import TritonClient
from bridge.warming import Warming

__all__ = ["Connect", "Lease", "Upstream"]

Connect = Callable[[str, str, TritonTls | None], TritonClient]
"""Takes an address, the secret and how it is known to be Triton; returns a client of its own."""

PACE_WEIGHT = 0.3
"""How much one answer counts against what was known of an upstream's pace."""

SLOWEST_PACE = 20.0
PACE_MEMORY_S = 10.0
"""An upstream that was slow is believed to be so for about as long: then it is tried again."""

NEWCOMER_PACE = 4.0
"""What an upstream that comes back is taken for until its answers tell: its caches may be empty, its graphs cold."""

RENEW_AFTER_S = 3.0
"""A channel that brought no answer to a probe for so long is closed and made anew: after a standstill Triton may serve
new connections and never the old one again."""

LATE_PACE = 4.0
"""How slow a call counts that is late and not answered: nobody knows how long it will take."""

SILENCE_S = 0.3
"""A probe takes a millisecond: while one is not answered for so long, calls in flight are better made elsewhere."""

DOUBT_PAUSE_S = 0.1
"""Between two probes that late answers bring about."""

logger = logging.getLogger(__name__)


class Lease:
    """One call that an upstream was given: ``with lease as client``, or ``release`` where it is not made after all.

    Attributes:
        upstream: Whose it is.
        is_limited: Whether the call counts against the upstream's limit.
    """

    def __init__(self, upstream: Upstream, is_limited: bool) -> None:
        self.upstream = upstream
        self.is_limited = is_limited
        self._start_s = time.perf_counter()
        self._end_s: float | None = None

    @property
    def duration_s(self) -> float:
        """How long the call took, or takes already."""
        return (self._end_s or time.perf_counter()) - self._start_s

    def __enter__(self) -> TritonClient:
        self._start_s = time.perf_counter()
        self.upstream.total_requests += 1
        return self.upstream.client

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: Any
    ) -> None:
        self.release()
        if exc is not None:
            self.upstream.note_failure(exc)

    def release(self) -> None:
        """Give the upstream back."""
        if self._end_s is None:
            self._end_s = time.perf_counter()
            self.upstream.given_back(self)


class Upstream:
    """One Triton server and what is known about it.

    Attributes:
        ready: Whether the last probe or call found it ready.
        inflight: Calls it has not answered yet.
        total_requests: Calls it was given.
        error_count: Calls it failed: lost, late, refused or with an internal error; a bad request is not its fault.
        is_newcomer: Whether others are at work already when it becomes ready, so that it may begin slowly.
        recovery: What it fails while others answer it.
        warming: Whether it is to have copies of what others are asked.
        limit: How many calls it may have at once.

    Args:
        address: ``host:port`` of Triton's gRPC service.
        secret: What Triton wants to be shown before it loads a model; empty: nothing is loaded anew.
        tls: How it is known to be Triton; None: without TLS.
        is_newcomer: See above.
        on_silence: Called with it when it has not answered a probe, or not soon.
        on_change: Called whenever it may take another call, or takes none any more.
        connect: Makes its client.
    """

    def __init__(
        self,
        address: str,
        secret: str = "",
        *,
        tls: TritonTls | None = None,
        is_newcomer: bool = False,
        on_silence: Callable[[Upstream], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
        connect: Connect = TritonClient,
    ) -> None:
        self.client = connect(address, secret, tls)
        self.recovery = Recovery(address, lambda: self.client, may_reload=bool(secret))
        self.limit = Limit()
        self.warming = Warming()
        self.address = address
        self.ready = False
        self.inflight = 0
        self._limited: dict[Lease, None] = {}  # a set that keeps the order
        self.total_requests = 0
        self.error_count = 0
        self.is_newcomer = is_newcomer
        self._secret = secret
        self._tls = tls
        self._connect = connect
        self._on_silence = on_silence
        self._on_change = on_change
        self._silent_since_s = math.inf
        self._probe_due = asyncio.Event()
        self._was_lost = False
        self._probed_s = -math.inf
        self._idle: asyncio.Event | None = None
        self._held: set[asyncio.Task[Any]] = set()
        self._let_go: set[asyncio.Task[Any]] = set()
        self._pace = 0.0
        self._pace_at_s = 0.0

    def take(self, is_limited: bool = False) -> Lease:
        """Give it one call; whoever takes a lease enters or releases it."""
        self.inflight += 1
        lease = Lease(self, is_limited)
        if is_limited:
            self._limited[lease] = None
        return lease

    @contextlib.contextmanager
    def lease(self) -> Iterator[TritonClient]:
        """Lend the client for one call, and count the call."""
        with self.take() as client:
            yield client

    @property
    def healthy(self) -> bool:
        """Whether it is ready, and answers: Triton calls itself ready also when none of its models works."""
        return self.ready and not self.recovery.is_broken

    @property
    def failing_models(self) -> list[str]:
        """The models that it fails, sorted."""
        return self.recovery.failing

    @property
    def load(self) -> float:
        """How much it has to do: calls in flight and the next one, each as heavy as it is slow."""
        return (self.inflight + 1) * max(1.0, self.pace)

    @property
    def pace(self) -> float:
        """How slow its answers were lately, in units of what is late; beyond 1, others would be quicker."""
        return self._pace * math.exp((self._pace_at_s - time.monotonic()) / PACE_MEMORY_S)

    @property
    def has_room(self) -> bool:
        """Whether it may be given one more call now, of those that count against its limit."""
        if self.limit.has_room(len(self._limited)):
            return True
        oldest = next(iter(self._limited))
        if oldest.duration_s < self.limit.stuck_s:
            return False
        del self._limited[oldest]
        return True

    def note_answer(self, kind: str, lease: Lease, late_s: float) -> None:
        """Note a call that was answered, and what is late for its kind."""
        self.recovery.note_answer(kind)
        if lease.is_limited:
            self.limit.note(kind, lease.duration_s)
        self.note_pace(lease.duration_s / late_s)

    def note_pace(self, ratio: float) -> None:
        """Note what a call took, or takes already, in units of what is late for its kind."""
        pace = self.pace
        self._set_pace(pace + PACE_WEIGHT * (min(ratio, SLOWEST_PACE) - pace))

    def hold(self, task: asyncio.Task[Any]) -> None:
        """Have ``let_go`` cancel this try: somebody asks another then."""
        self._held.add(task)
        task.add_done_callback(self._drop)

    def let_go(self) -> None:
        """Cancel the tries in flight, for others to be asked."""
        for task in tuple(self._held):
            self._let_go.add(task)
            task.cancel()

    def note_late(self) -> None:
        """Note that a call is late and not answered yet: it counts as slow, and the next probe is now."""
        self.note_pace(LATE_PACE)
        if time.monotonic() - self._probed_s > DOUBT_PAUSE_S:
            self._probe_due.set()

    def note_failure(self, exc: BaseException) -> None:
        """Note how a call ended."""
        if isinstance(exc, (UpstreamLost, InferTimeout, Overloaded, Refused, InternalError)):
            self.error_count += 1
        if isinstance(exc, UpstreamLost):
            self._suspect(exc)
        elif isinstance(exc, InternalError):
            self.recovery.note_error(exc)
        elif isinstance(exc, Overloaded):
            self.limit.note_refusal()

    def given_back(self, lease: Lease) -> None:
        """One call has ended, however it did."""
        self.inflight -= 1
        self._limited.pop(lease, None)
        if self._idle is not None and not self.inflight:
            self._idle.set()
        self._on_change()

    async def probe_forever(self, interval_s: float, timeout_s: float) -> None:
        """Keep ``ready`` up to date: probe every ``interval_s``, and at once when a call was lost or is late.

        What fails although it is ready is tried again meanwhile.
        """
        recovering = asyncio.create_task(self.recovery.run())
        try:
            await self._probe_forever(interval_s, timeout_s)
        finally:
            recovering.cancel()
            await asyncio.gather(recovering, return_exceptions=True)

    async def _probe_forever(self, interval_s: float, timeout_s: float) -> None:
        while True:
            await self.probe(timeout_s)
            # not wait_for: before Python 3.12 it loses a cancellation that comes together with the event
            timer = asyncio.get_running_loop().call_later(interval_s, self._probe_due.set)
            try:
                await self._probe_due.wait()
            finally:
                timer.cancel()

    async def probe(self, timeout_s: float) -> None:
        """Ask once whether Triton is ready."""
        self._probe_due.clear()
        self._was_lost = False
        self._probed_s = time.monotonic()
        timer = asyncio.get_running_loop().call_later(SILENCE_S, self._on_silence, self)
        try:
            ready = await self.client.is_server_ready(timeout_s)
        finally:
            timer.cancel()
        self._probed_s = time.monotonic()
        if ready and self._was_lost:
            return  # a call was lost while Triton's answer was under way: the next probe decides
        self._set_ready(bool(ready))
        if ready is None:
            self._on_silence(self)
            await self._renew_in_time()
        else:
            self._silent_since_s = math.inf

    async def leave(self) -> None:
        """Close the channel once the calls in flight are done; call it when no new ones are given.

        Cancelled, it closes the channel at once, and so cancels the calls.
        """
        self._idle = asyncio.Event()
        try:
            if self.inflight:
                await self._idle.wait()
        finally:
            await self.client.close()

    def _drop(self, task: asyncio.Task[Any]) -> None:
        self._held.discard(task)
        if task in self._let_go:
            self._let_go.discard(task)
            self.error_count += (
                task.cancelled()
            )  # else it ended by itself in the same moment, and was counted

    def _suspect(self, error: UpstreamLost) -> None:
        if self.ready:
            logger.warning("%s; it is out of the rotation", error)
        self.ready = False
        self._was_lost = True
        self._probe_due.set()
        self._on_change()

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            logger.info("Triton at %s is %s", self.address, "ready" if ready else "not ready")
        if ready and not self.ready and self.is_newcomer:
            self._set_pace(max(self.pace, NEWCOMER_PACE))
            self.warming.begin()
        changes, self.ready = ready != self.ready, ready
        if changes:
            self._on_change()

    async def _renew_in_time(self) -> None:
        now_s = time.monotonic()
        self._silent_since_s = min(self._silent_since_s, now_s)
        if now_s - self._silent_since_s < RENEW_AFTER_S:
            return
        self._silent_since_s = now_s
        silent, self.client = self.client, self._connect(self.address, self._secret, self._tls)
        await silent.close()

    def _set_pace(self, pace: float) -> None:
        self._pace, self._pace_at_s = pace, time.monotonic()
