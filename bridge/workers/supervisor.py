"""Starts the workers of a bridge, begins anew those that die, and ends them all in order."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from bridge.config import BridgeConfig
from bridge.errors import BridgeError, WorkerEnded
from bridge.workers.ports import held_ports
from bridge.workers.team import Team
from bridge.workers.worker import Listening, work

__all__ = ["supervise", "supervised"]

PAUSES_S = (0.1, 0.5, 2.0, 5.0)
"""Before a worker is begun anew: the next of them each time that it lived for less than LONG_S."""

LONG_S = 10.0
STOP = b"."

logger = logging.getLogger(__name__)


async def supervise(config: BridgeConfig, say: Callable[[Listening], object]) -> None:
    """Run ``config.workers`` processes until a signal: the first lets them finish, a second one does not.

    Args:
        config: The bridge's settings.
        say: Told once all of them listen.

    Raises:
        BridgeError: What keeps a worker from starting, or WorkerEnded where it did not say.
        ListenError: If a port cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    impatient: list[signal.Signals] = []

    def kill(supervisor: Supervisor, number: signal.Signals) -> None:
        supervisor.kill()
        impatient.append(number)

    for number in signals:
        loop.add_signal_handler(number, told.set)
    try:
        async with supervised(config) as supervisor:
            starting = asyncio.ensure_future(supervisor.listening())
            stopping = asyncio.ensure_future(told.wait())
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                say(starting.result())
                await stopping
            starting.cancel()
            for number in signals:
                loop.add_signal_handler(number, kill, supervisor, number)
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
    for number in impatient:  # as one process would, had it not been for what there was to clean up
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


@asynccontextmanager
async def supervised(config: BridgeConfig) -> AsyncIterator[Supervisor]:
    """Run ``config.workers`` processes until the block ends, and let them finish then.

    Raises:
        ListenError: If a port cannot be listened on.
    """
    with (
        held_ports(config) as settled,
        tempfile.TemporaryDirectory(prefix="lipsync-bridge-") as folder,
    ):
        supervisor = Supervisor(settled, Path(folder))
        try:
            yield supervisor
        finally:
            await supervisor.stop()


@dataclass(frozen=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection


class Supervisor:
    """The workers of one bridge, from its making on.

    Attributes:
        config: What they were given: the bridge's settings, with ports that are numbers.
    """

    def __init__(self, config: BridgeConfig, folder: Path) -> None:
        self.config = config
        self._folder = folder
        self._context = multiprocessing.get_context("spawn")
        self._sessions, self._promised = (
            self._context.RawArray("d", config.workers),
            self._context.RawArray("d", config.workers),
        )
        self._workers: dict[int, _Worker] = {}
        self._stopping = False
        self._listening: list[asyncio.Future[Listening]] = []
        self._tasks: list[asyncio.Task[None]] = []
        loop = asyncio.get_running_loop()
        for index in range(config.workers):
            self._listening.append(loop.create_future())
            self._tasks.append(asyncio.create_task(self._keep(index)))

    @property
    def pids(self) -> list[int | None]:
        """The processes' ids, by worker."""
        return [worker.process.pid for _, worker in sorted(self._workers.items())]

    async def listening(self) -> Listening:
        """Return where the bridge listens, once all workers do.

        Raises:
            BridgeError: What kept one from starting.
        """
        found = await asyncio.gather(*self._listening)
        return found[0]

    async def stop(self) -> None:
        """Have the workers finish, and wait for it."""
        self._stopping = True
        for worker in self._workers.values():
            with suppress(OSError):  # it has ended by itself
                os.write(worker.pipe.fileno(), STOP)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for waiting in self._listening:
            waiting.cancel()
            if not waiting.cancelled():
                waiting.exception()

    def kill(self) -> None:
        """End the workers at once."""
        for worker in self._workers.values():
            worker.process.kill()

    async def _keep(self, index: int) -> None:
        """Run one worker, and another one when it dies, until all are stopped."""
        pauses_s = iter(PAUSES_S)
        pause_s = 0.0
        while not self._stopping:
            started_s = time.monotonic()
            reason = await self._run(index)
            self._sessions[index] = self._promised[index] = 0.0
            if self._stopping or not self._has_listened(index, reason):
                return
            if time.monotonic() - started_s > LONG_S:
                pauses_s = iter(PAUSES_S)
            pause_s = next(pauses_s, pause_s)
            logger.warning("worker %d: %s; another one begins in %g s", index, reason, pause_s)
            await asyncio.sleep(pause_s)

    async def _run(self, index: int) -> BridgeError:
        """Run one worker until it ends, and return why it did."""
        worker = self._workers[index] = self._begin(index)
        try:
            await _readable(worker.pipe.fileno())
            message: Listening | BridgeError | None = None
            with suppress(EOFError):
                message = worker.pipe.recv()
            if isinstance(message, Listening) and not self._listening[index].done():
                self._listening[index].set_result(message)
            await _readable(worker.process.sentinel)
            worker.process.join()
            if isinstance(message, BridgeError):
                return message
            return WorkerEnded(worker.process.exitcode)
        finally:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
            del self._workers[index]

    def _begin(self, index: int) -> _Worker:
        ours, its = self._context.Pipe()
        team = Team(index, self._sessions, self._promised, self._folder)
        process = self._context.Process(
            target=work, args=(self.config, team, its), name=f"worker-{index}", daemon=True
        )
        process.start()
        its.close()
        return _Worker(process, ours)

    def _has_listened(self, index: int, reason: BridgeError) -> bool:
        """Tell whether a worker has ever served; one that has not keeps the bridge from starting."""
        if not self._listening[index].done():
            self._listening[index].set_exception(reason)
        return self._listening[index].cancelled() or self._listening[index].exception() is None


async def _readable(descriptor: int) -> None:
    """Return once there is something to read, or the end."""
    loop = asyncio.get_running_loop()
    found = asyncio.Event()
    loop.add_reader(descriptor, found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(descriptor)
