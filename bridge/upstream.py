"""One Triton server as the balancer sees it: its state, its counts, and the probe that keeps them true."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from bridge.errors import InferTimeout, InternalError, Overloaded, Refused, UpstreamLost
from bridge.triton import TritonClient

__all__ = ["Upstream"]

logger = logging.getLogger(__name__)


class Upstream:
    """One Triton server and what is known about it.

    Attributes:
        ready: Whether the last probe or call found it ready.
        inflight: Calls it has not answered yet.
        total_requests: Calls it was given.
        error_count: Calls it failed: lost, late, refused or with an internal error; a bad request is not its fault.
    """

    def __init__(self, address: str, secret: str = "") -> None:
        self.client = TritonClient(address, secret)
        self.address = address
        self.ready = False
        self.inflight = 0
        self.total_requests = 0
        self.error_count = 0
        self._probe_due = asyncio.Event()
        self._idle: asyncio.Event | None = None

    @contextlib.contextmanager
    def lease(self) -> Iterator[TritonClient]:
        """Lend the client for one call, and count the call."""
        self.inflight += 1
        self.total_requests += 1
        try:
            yield self.client
        except (UpstreamLost, InferTimeout, Overloaded, Refused, InternalError) as exc:
            self.error_count += 1
            if isinstance(exc, UpstreamLost):
                self._suspect(exc)
            raise
        finally:  # runs on success, error and cancellation alike
            self.inflight -= 1
            if self._idle is not None and not self.inflight:
                self._idle.set()

    async def probe_forever(self, interval_s: float, timeout_s: float) -> None:
        """Keep ``ready`` up to date: probe every ``interval_s``, and at once when a call was lost."""
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

    def _suspect(self, error: UpstreamLost) -> None:
        if self.ready:
            logger.warning("%s; it is out of the rotation", error)
        self.ready = False
        self._probe_due.set()
