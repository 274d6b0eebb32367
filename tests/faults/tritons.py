"""Two real Tritons and what is done to them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.triton import OUTPUTS, BridgeProcess, running_bridge
from bridge.errors import BridgeError
from bridge.triton import TritonClient, frame_request
from embedded import Server
from tests.conftest import CLIP_FRAMES
from tests.embedded.processes import STUB, Family, Process, find_family, program

__all__ = ["AVATAR", "Tritons"]

AVATAR = "demo"
VICTIM = 1
PROBE_TIMEOUT_S = 2.0
REPAIR_S, RESTART_S = 10.0, 40.0
POLL_S = 0.05


@dataclass(frozen=True)
class Tritons:
    """Two Tritons behind one bridge; faults befall the second.

    Attributes:
        servers: Where they answer.
        secret_file: What a bridge is shown so that it may load a model anew, as ``make demo`` does.
    """

    servers: list[Server]
    secret_file: Path

    @property
    def addresses(self) -> list[str]:
        """Where both answer, ``host:port``."""
        return [server.grpc_url for server in self.servers]

    def bridge(
        self, *options: str, addresses: Sequence[str] = (), descriptors: int | None = None
    ) -> AbstractAsyncContextManager[BridgeProcess]:
        """Return a bridge of default settings before both, or before other addresses that lead to them."""
        secret = ("--triton-secret-file", str(self.secret_file))
        return running_bridge(
            ",".join(addresses or self.addresses), *secret, *options, descriptors=descriptors
        )

    def family(self, index: int = VICTIM) -> Family:
        """The processes of one of them, as they are now."""
        return find_family(f"--grpc-port={self.servers[index].grpc_port}", with_part="tritonserver")

    def signal(self, number: int, index: int = VICTIM) -> None:
        """Send a signal to the server of one of them; it may have ended meanwhile."""
        with contextlib.suppress(ProcessLookupError):
            self.family(index).member("tritonserver").kill(number)

    def kill_stub(self, model_name: str) -> None:
        """Kill the process of a model's first instance, which Triton itself does not start again."""
        (stub,) = [process for process in self.family().members if _is_stub(process, model_name)]
        stub.kill(signal.SIGKILL)

    async def ready(self, frames: int = CLIP_FRAMES) -> None:
        """Wait until both answer so many frames, and so have them in their caches, where they have caches.

        One that an earlier fault has left broken is started again.
        """
        for index in range(len(self.servers)):
            if not await self._fill_within(index, frames, REPAIR_S):
                self.signal(signal.SIGKILL, index)
                assert await self._fill_within(index, frames, RESTART_S), f"Triton {index} does not come back"

    async def answers(self, index: int = VICTIM) -> bool:
        """Whether one of them answers a frame."""
        return await self._fill(index, 1)

    async def _fill_within(self, index: int, frames: int, limit_s: float) -> bool:
        end_s = time.monotonic() + limit_s
        while not await self._fill(index, frames):
            if time.monotonic() > end_s:
                return False
            await asyncio.sleep(POLL_S)
        return True

    async def _fill(self, index: int, frames: int) -> bool:
        """Ask for the first frames; return whether all came."""
        client = TritonClient(self.addresses[index])
        try:
            for frame_id in range(frames):
                await client.infer(frame_request(AVATAR, frame_id, OUTPUTS), PROBE_TIMEOUT_S)
        except BridgeError:
            return False
        finally:
            await client.close()
        return True


def _is_stub(process: Process, model_name: str) -> bool:
    return program(process.command) == STUB and f"\0{model_name}_0_0\0" in process.command
