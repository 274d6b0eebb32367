"""Two real Tritons and what is done to them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from benchmarks.errors import LoadFailed
from benchmarks.triton import GrpcCaller
from embedded import Server
from tests.conftest import CLIP_FRAMES
from tests.embedded.processes import STUB, Family, Process, find_family, program

__all__ = ["AVATAR", "Tritons"]

AVATAR = "demo"
POLL_S = 0.05


@dataclass(frozen=True)
class Tritons:
    """Two Tritons behind one bridge; faults befall the second."""

    servers: list[Server]

    @property
    def addresses(self) -> list[str]:
        """Where both answer, ``host:port``."""
        return [server.grpc_url for server in self.servers]

    @property
    def victim(self) -> Server:
        """The one that faults befall."""
        return self.servers[1]

    def family(self) -> Family:
        """The victim's processes, as they are now."""
        return find_family(f"--grpc-port={self.victim.grpc_port}", with_part="tritonserver")

    def signal(self, number: int) -> None:
        """Send a signal to the victim's server; it may have ended meanwhile."""
        with contextlib.suppress(ProcessLookupError):
            self.family().member("tritonserver").kill(number)

    def kill_stub(self, model_name: str) -> None:
        """Kill the process of a model's first instance, which Triton itself does not start again."""
        (stub,) = [process for process in self.family().members if _is_stub(process, model_name)]
        stub.kill(signal.SIGKILL)

    async def ready(self) -> None:
        """Wait until both answer any frame, and have every frame in their caches, where they have caches.

        Raises:
            LoadFailed: If one of them answers with anything but frames.
        """
        waiting = list(self.addresses)
        while waiting:
            if await asyncio.to_thread(self._has_frames, waiting[-1]):
                waiting.pop()
            else:
                await asyncio.sleep(POLL_S)

    async def victim_answers(self) -> bool:
        """Whether the victim answers a frame."""
        with _caller(self.victim.grpc_url) as caller, contextlib.suppress(LoadFailed):
            await asyncio.to_thread(caller.call)
            return True
        return False

    def _has_frames(self, address: str) -> bool:
        with _caller(address) as caller:
            try:
                for _ in range(CLIP_FRAMES):
                    caller.call()
            except LoadFailed as exc:
                if isinstance(exc.__cause__, grpc.RpcError):
                    return False
                raise
        return True


@contextlib.contextmanager
def _caller(address: str) -> Iterator[GrpcCaller]:
    with GrpcCaller(address, AVATAR, itertools.cycle(range(CLIP_FRAMES))) as caller:
        yield caller


def _is_stub(process: Process, model_name: str) -> bool:
    return program(process.command) == STUB and f"\0{model_name}_0_0\0" in process.command
