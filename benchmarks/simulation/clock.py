"""asyncio on SimPy's clock, so that the bridge's own code runs in simulated time and no second copy of it has to agree.

What the bridge decides (whose turn it is, which Triton is asked, when a second one is, how many calls each may have) is
decided by ``bridge.balancer`` itself. SimPy keeps the time, and everything outside the bridge.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar
from unittest import mock

import simpy

__all__ = ["SimulatedLoop", "simulated_time"]

Answer = TypeVar("Answer")


class _Selector:
    """What an event loop waits with: here, waiting lets SimPy's events happen."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        """Let events happen until one has made a callback due, or ``timeout`` simulated seconds have passed."""
        env = self._loop.env
        end_s = float("inf") if timeout is None else env.now + max(0.0, timeout)
        while not self._loop.has_ready and env.peek() <= end_s:
            if env.peek() == float("inf"):
                raise RuntimeError("expected something left to happen in the simulation, got nothing")
            env.step()
        if not self._loop.has_ready and end_s > env.now:
            env.run(until=end_s)
        return []


class SimulatedLoop(asyncio.BaseEventLoop):
    """An event loop whose time is a SimPy environment's; it has neither sockets nor threads."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__()
        self.env = env
        self._selector = _Selector(self)
        self._failure: BaseException | None = None
        self.set_exception_handler(lambda _, context: self._fail(context))

    @property
    def has_ready(self) -> bool:
        """Whether a callback is due."""
        return bool(self._ready)  # type: ignore[attr-defined]  # asyncio's own, without a type

    def time(self) -> float:
        """Return the simulated time, in seconds."""
        return float(self.env.now)

    async def until(self, event: simpy.Event) -> Any:
        """Return the value of a SimPy event once it has happened."""
        if event.callbacks is None:
            return event.value
        future = self.create_future()
        event.callbacks.append(lambda event: None if future.done() else future.set_result(event.value))
        return await future

    def run(self, work: Coroutine[Any, Any, Answer], limit_s: float) -> Answer:
        """Run the simulation until ``work`` is done, and return its answer.

        Raises:
            TimeoutError: If it is not done after ``limit_s`` simulated seconds.
            Exception: Whatever ``work``, or a callback that nobody waits for, raises.
        """
        try:
            return self.run_until_complete(asyncio.wait_for(work, limit_s))
        except asyncio.TimeoutError as exc:
            raise TimeoutError(
                f"expected the simulation to end within {limit_s:g} simulated seconds"
            ) from exc
        finally:
            if self._failure is not None:
                raise self._failure

    def _process_events(self, event_list: list[Any]) -> None:
        """Have nothing to process: sockets have no events here."""

    def _fail(self, context: dict[str, Any]) -> None:
        """Have the simulation end with what nobody caught."""
        self._failure = context.get("exception") or RuntimeError(str(context["message"]))
        self.stop()


@contextlib.contextmanager
def simulated_time() -> Iterator[SimulatedLoop]:
    """Have asyncio and the clocks that the bridge reads be SimPy's, and the bridge's log silent, for a block."""
    loop = SimulatedLoop(simpy.Environment())
    log = logging.getLogger("bridge")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        with mock.patch("time.monotonic", loop.time), mock.patch("time.perf_counter", loop.time):
            yield loop
    finally:
        loop.close()
        log.setLevel(level)
