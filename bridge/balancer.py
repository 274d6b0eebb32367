"""1 to 20 Triton servers behind one ``call``: who is ready, whose turn it is, and the second try.

A probe task per backend keeps its state; nothing else asks. A call that loses its connection marks the
backend down at once, wakes its probe, and, since every request here is idempotent, is tried once on another.
Once and no more: a request that brings Triton down must not bring them all down.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import TypeVar

from bridge.config import BridgeConfig
from bridge.errors import (
    BackendLost,
    BridgeError,
    InferTimeout,
    InternalError,
    NoBackendReady,
    UnknownModel,
)
from bridge.triton import TritonClient

__all__ = ["Backend", "Balancer"]

Answer = TypeVar("Answer")
Call = Callable[[TritonClient], Awaitable[Answer]]

logger = logging.getLogger(__name__)


class Backend:
    """One Triton server and what is known about it.

    Attributes:
        ready: Whether the last probe or call found it ready.
        inflight: Calls it hasn't answered yet.
        total_requests: Calls it was given.
        error_count: Calls it failed: lost, late or with an internal error; a bad request isn't its fault.
    """

    def __init__(self, address: str) -> None:
        self.client = TritonClient(address)
        self.address = address
        self.ready = False
        self.inflight = 0
        self.total_requests = 0
        self.error_count = 0
        self._probe_due = asyncio.Event()

    @contextlib.contextmanager
    def lease(self) -> Iterator[TritonClient]:
        """Lend the client for one call, and count the call."""
        self.inflight += 1
        self.total_requests += 1
        try:
            yield self.client
        except (BackendLost, InferTimeout, InternalError) as exc:
            self.error_count += 1
            if isinstance(exc, BackendLost):
                self._suspect(exc)
            raise
        finally:  # runs on success, error and cancellation alike
            self.inflight -= 1

    async def probe_forever(self, interval_s: float, timeout_s: float) -> None:
        """Keep ``ready`` true to life: ask every ``interval_s``, and at once when a call was lost."""
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
        ready = await self.client.is_server_ready(timeout_s)
        if ready and self._probe_due.is_set():
            return  # a call was lost while Triton's answer was under way: the next probe decides
        if ready != self.ready:
            logger.info("Triton at %s is %s", self.address, "ready" if ready else "not ready")
        self.ready = ready

    def _suspect(self, error: BackendLost) -> None:
        if self.ready:
            logger.warning("%s; it is out of the rotation", error)
        self.ready = False
        self._probe_due.set()


class Balancer:
    """The backends of one bridge: ``async with Balancer(config) as balancer``.

    On entry every backend was probed once; on exit the probes are stopped and the channels closed.
    """

    def __init__(self, config: BridgeConfig) -> None:
        self.backends = [Backend(address) for address in config.backends]
        self._config = config
        self._probes: list[asyncio.Task[None]] = []
        self._turn = 0
        self._choose = self._least_inflight if config.policy == "least_inflight" else self._round_robin

    async def __aenter__(self) -> Balancer:
        config = self._config
        await asyncio.gather(*(backend.probe(config.probe_timeout_s) for backend in self.backends))
        self._probes = [
            asyncio.create_task(backend.probe_forever(config.probe_interval_s, config.probe_timeout_s))
            for backend in self.backends
        ]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for probe in self._probes:
            probe.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await asyncio.gather(*(backend.client.close() for backend in self.backends))

    @property
    def ready_count(self) -> int:
        """How many backends are ready now."""
        return sum(backend.ready for backend in self.backends)

    async def call(self, call: Call[Answer]) -> Answer:
        """Run ``call`` on a ready backend; if its connection is lost, run it once more on another.

        A backend that doesn't know the model hands on to the others: an avatar may be loaded on some of them only.

        Raises:
            NoBackendReady: If none is ready, or the second was lost as well.
            UnknownModel: If none of them knows it.
            BridgeError: Whatever else ``call`` raises.
        """
        first = self._next(None)
        try:
            with first.lease() as client:
                return await call(client)
        except UnknownModel as exc:
            return await self._call_others(call, first, exc)
        except BackendLost:
            pass
        try:
            with self._next(first).lease() as client:
                return await call(client)
        except BackendLost as exc:
            raise self._no_backend_ready() from exc

    async def call_all(self, call: Call[Answer]) -> list[Answer]:
        """Run ``call`` on every ready backend, and return the answers of those that weren't lost meanwhile.

        Raises:
            NoBackendReady: If none is ready, or all were lost.
            BridgeError: Whatever else ``call`` raises.
        """

        async def ask(backend: Backend) -> list[Answer]:
            with contextlib.suppress(BackendLost), backend.lease() as client:
                return [await call(client)]
            return []

        ready = [backend for backend in self.backends if backend.ready]
        answers = [answer for given in await asyncio.gather(*map(ask, ready)) for answer in given]
        if not answers:
            raise self._no_backend_ready()
        return answers

    async def _call_others(self, call: Call[Answer], asked: Backend, unknown: UnknownModel) -> Answer:
        for backend in self.backends:
            if backend.ready and backend is not asked:
                with contextlib.suppress(UnknownModel, BackendLost), backend.lease() as client:
                    return await call(client)
        raise unknown

    def _next(self, lost: Backend | None) -> Backend:
        ready = [backend for backend in self.backends if backend.ready and backend is not lost]
        if not ready:
            raise self._no_backend_ready()
        return self._choose(ready)

    def _no_backend_ready(self) -> BridgeError:
        return NoBackendReady(self.ready_count, len(self.backends))

    def _round_robin(self, ready: list[Backend]) -> Backend:
        self._turn += 1
        return ready[self._turn % len(ready)]

    def _least_inflight(self, ready: list[Backend]) -> Backend:
        fewest = min(backend.inflight for backend in ready)
        return self._round_robin([backend for backend in ready if backend.inflight == fewest])
