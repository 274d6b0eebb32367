"""Start Triton processes, wait until they are ready, and leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from embedded.command import Server, build_command
from embedded.config import EmbeddedConfig
from embedded.control import default_path
from embedded.errors import StartCrashed, StartFailed
from embedded.guard import KILL, READY, SECRET_VARIABLE, STOP, kill_leftovers, remove_shared_memory
from embedded.installation import Installation, find_installation, lay_out_backends
from embedded.interpreter import lay_out_interpreter
from embedded.leftovers import held_folder, held_prefix, remove_leftovers
from embedded.log import LogTail
from embedded.ports import claimed_servers
from embedded.readiness import answers
from embedded.watch import GivenUp, watch

__all__ = ["Server", "serve"]

GUARD = Path(__file__).with_name("guard.py")
SIGNALLED = 128  # exit codes above tell a signal
KILL_MARGIN_S = 10.0
FIRST_START_ATTEMPTS = 3
RESTART_DELAY_S, MAX_RESTART_DELAY_S = 0.25, 10.0

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serve(config: EmbeddedConfig) -> AsyncIterator[list[Server]]:
    """Run Triton while the block runs, and yield where each process answers once all are ready.

    All processes ask those who load models for one ``secret``. Triton's log lines go to the logger ``embedded.triton``.
    A process that dies is started again on its ports. When the block ends, requests in flight are answered within
    ``stop_timeout_s``; no process or shared memory stays, even if this process is killed by SIGKILL.

    Raises:
        NotInstalled: If a part of Triton is missing.
        BadSetting: If this machine cannot listen on the host, or the file of the secret is none any more.
        PortInUse: If a port is taken.
        StartFailed: If Triton gives up or is not ready within ``start_timeout_s``.
    """
    installation = find_installation()
    secret, tls = config.control_secret(), config.grpc_tls()
    async with claimed_servers(config) as claimed:
        remove_leftovers()
        servers = [dataclasses.replace(server, secret=secret, tls=tls) for server in claimed]
        with held_folder() as folder:
            try:
                backends = lay_out_backends(installation, folder / "backends")
                installation = dataclasses.replace(
                    installation, interpreter=lay_out_interpreter(folder / "interpreter")
                )
            except OSError as exc:  # a full disk
                raise _as_failure(exc) from exc
            keepers = [_Keeper(config, server, installation, backends, folder) for server in servers]
            tasks = [asyncio.create_task(keeper.keep()) for keeper in keepers]
            try:
                await _all_ready(keepers, tasks)
                yield servers
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def _all_ready(keepers: list[_Keeper], tasks: list[asyncio.Task[None]]) -> None:
    """Return when every process is ready; raise what the first one that failed raised."""
    for keeper in keepers:
        ready = asyncio.create_task(keeper.wait_ready())
        try:
            await asyncio.wait({ready, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            ready.cancel()


class _Keeper:
    """Starts one Triton process, and starts it again when it dies."""

    def __init__(
        self,
        config: EmbeddedConfig,
        server: Server,
        installation: Installation,
        backends: Path,
        folder: Path,
    ) -> None:
        self.config, self.server, self.installation = config, server, installation
        self.backends, self.folder = backends, folder
        self.ready = asyncio.Event()

    async def wait_ready(self) -> None:
        """Return when the process was ready for the first time."""
        await self.ready.wait()

    async def keep(self) -> None:
        """Run until cancelled.

        Raises:
            StartFailed: If the first start fails; later ones are tried again. A crash is tried again twice, as on a
                busy machine Triton's Python backend aborts now and then, with boost's ``lock_exception``.
        """
        delay_s, crashes_left = RESTART_DELAY_S, FIRST_START_ATTEMPTS - 1
        while True:
            try:
                await self._run_once()
                delay_s = RESTART_DELAY_S
            except (StartFailed, OSError) as exc:  # OSError: this machine is out of processes or file handles
                crashes_left -= isinstance(exc, StartCrashed)
                if not self.ready.is_set() and (not isinstance(exc, StartCrashed) or crashes_left < 0):
                    raise _as_failure(exc) from exc
                logger.error("%s", exc)
            logger.error("Triton on port %d is started again in %g s", self.server.grpc_port, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, MAX_RESTART_DELAY_S)

    async def _run_once(self) -> None:
        secret_file = default_path(self.server.http_port)
        with held_prefix(secret_file) as (prefix, lock):
            # what broke since then, such as an avatar that is half written over, is not to keep the others out
            forgiving = self.ready.is_set()
            arguments = (self.config, self.server, self.installation, self.backends, prefix, forgiving)
            left = (str(secret_file), str(self.folder))
            environment = {**self.installation.environment(), SECRET_VARIABLE: self.server.secret}
            command = [prefix, *left, "--", *build_command(*arguments)]
            async with _run(command, prefix, lock, environment, self.config.stop_timeout_s) as process:
                await _wait_ready(process, self.server, self.config)
                process.ready = True
                process.order(READY)
                self.ready.set()
                logger.error("Triton %s", await self._watch(process, prefix))

    async def _watch(self, process: _Process, prefix: str) -> str:
        """Return when the process has ended, or is to end as it does not answer; return what happened."""
        watching = asyncio.create_task(watch(self.server, prefix, self.config.start_timeout_s))
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({watching, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return _describe_exit(ended.result(), process.tail)
            await watching
            raise AssertionError("a watch ends by an exception only")
        except GivenUp as exc:
            process.order(KILL)
            await process.wait()
            return str(exc)
        finally:
            for task in (watching, ended):
                task.cancel()
            await asyncio.gather(watching, ended, return_exceptions=True)


class _Process:
    """A guard with its Triton, our end of its lifeline, and the task that reads their log."""

    def __init__(self, guard: asyncio.subprocess.Process, lifeline: int, shm_prefix: str) -> None:
        self.guard, self.lifeline = guard, lifeline
        self.tail = LogTail()
        self.ready = False
        self._shm_prefix = shm_prefix
        assert guard.stderr is not None
        self._forwarding = asyncio.create_task(self.tail.forward(guard.stderr))

    def order(self, order: bytes) -> None:
        """Tell the guard something, unless it has ended."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self.lifeline, order)

    async def wait(self) -> int:
        """Wait for the guard's end, and return its exit code; nothing of its Triton is left then."""
        await self._guard_ended()
        kill_leftovers(self._shm_prefix)  # there are none, unless the guard was killed itself
        remove_shared_memory(self._shm_prefix)
        await asyncio.shield(self._forwarding)  # ends when nobody holds the log any more
        return await self.guard.wait()

    async def _guard_ended(self) -> None:
        """Wait for the guard alone: asyncio's own ``wait`` may also wait for all who hold its log."""
        ended = asyncio.Event()
        try:
            pidfd = os.pidfd_open(self.guard.pid)
        except ProcessLookupError:
            return
        loop = asyncio.get_running_loop()
        loop.add_reader(pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(pidfd)
            os.close(pidfd)


@contextlib.asynccontextmanager
async def _run(
    command: list[str],
    shm_prefix: str,
    lock: int,
    environment: dict[str, str],
    stop_timeout_s: float,
) -> AsyncIterator[_Process]:
    lifeline, our_end = os.pipe()
    try:
        guard = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(GUARD), str(lifeline), str(stop_timeout_s)),
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(lifeline, lock),
            start_new_session=True,
        )
    except BaseException:
        os.close(our_end)
        raise
    finally:
        os.close(lifeline)
    process = _Process(guard, our_end, shm_prefix)
    try:
        yield process
    finally:
        await asyncio.shield(_stop(process, stop_timeout_s))


async def _stop(process: _Process, stop_timeout_s: float) -> None:
    """Ask for a good end if requests may be in flight, and have the guard kill the rest.

    To close the lifeline alone would tell it that we are gone, with what all our Tritons use.
    """
    if process.ready:
        process.order(STOP)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), stop_timeout_s + KILL_MARGIN_S)
    process.order(KILL)
    os.close(process.lifeline)
    await process.wait()


async def _wait_ready(process: _Process, server: Server, config: EmbeddedConfig) -> None:
    """Return once Triton answers at all its addresses.

    Raises:
        StartFailed: If it ends before, or takes longer than ``start_timeout_s``.
        StartCrashed: If a signal ends it.
    """
    limit_s = config.start_timeout_s
    ready = asyncio.create_task(asyncio.wait_for(answers(server, config.extra_args), limit_s))
    ended = asyncio.create_task(process.wait())
    try:
        await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            failure = StartCrashed if _is_signalled(ended.result()) else StartFailed
            raise failure(_describe_exit(ended.result(), process.tail))
        await ready
    except (asyncio.TimeoutError, grpc.aio.AioRpcError) as exc:
        raise StartFailed(f"was not ready within {limit_s:g} s: {process.tail.reason()}") from exc
    finally:
        for task in (ready, ended):
            task.cancel()
        await asyncio.gather(ready, ended, return_exceptions=True)


def _as_failure(exc: StartFailed | OSError) -> StartFailed:
    """Return what the system refused us, as a sentence about Triton."""
    if isinstance(exc, StartFailed):
        return exc
    if isinstance(exc, shutil.Error):  # of a folder's files, each with its own
        return StartFailed(f"could not be started: {exc.args[0][0][-1]}")
    where = f" ({exc.filename})" if exc.filename else ""
    return StartFailed(f"could not be started: {(exc.strerror or str(exc)).lower()}{where}")


def _is_signalled(code: int) -> bool:
    return code < 0 or code > SIGNALLED


def _describe_exit(code: int, tail: LogTail) -> str:
    if _is_signalled(code):
        return f"was ended by {signal.Signals(-code if code < 0 else code - SIGNALLED).name}"
    return f"exited with code {code}: {tail.reason()}"
