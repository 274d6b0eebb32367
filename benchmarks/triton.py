"""Triton and the bridge as measured servers, and a caller that asks for one frame after another."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import resource
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

import embedded
from benchmarks.errors import LoadFailed
from bridge.triton import bytes_output, frame_request
from embedded import EmbeddedConfig, Server

__all__ = ["OUTPUTS", "BridgeProcess", "GrpcCaller", "running_bridge", "running_triton"]

OUTPUTS = ("jpeg", "bounds")
DEADLINE_S = 60.0
MESSAGE_BYTES = 64 << 20
JPEG_START = b"\xff\xd8"


@contextlib.asynccontextmanager
async def running_triton(model_repository: Path, strategy: str | None) -> AsyncIterator[Server]:
    """Run a Triton of its own, on free ports; without a strategy with each model's plain config."""
    config = EmbeddedConfig(
        model_repository=model_repository, strategy=strategy, http_port=0, stop_timeout_s=3.0
    )
    async with embedded.serve(config) as servers:
        yield servers[0]


class BridgeProcess:
    """A bridge in a process of its own.

    Attributes:
        port: Where it listens, on the loopback.
        pid: Its process.
    """

    def __init__(self, port: int, pid: int) -> None:
        self.port, self.pid = port, pid

    def resident_bytes(self) -> int:
        """Return how much memory it holds now."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """Return how many seconds of a core it has used, user's and system's, all threads together."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def running_bridge(
    upstream: str, *options: str, descriptors: int | None = None
) -> AsyncIterator[BridgeProcess]:
    """Run ``python -m bridge`` in front of a Triton at ``host:port``, on a free port and without gRPC.

    Args:
        upstream: Several are separated by commas.
        options: Further arguments, which overrule those.
        descriptors: How many files and connections the system is to let it have; None: as many as this process.

    Raises:
        LoadFailed: If it does not say where it listens.
    """
    settings = ["--upstreams", upstream, "--port", "0", "--grpc-port=-1", "--log-level", "error", *options]
    arguments = ["-m", "bridge", *settings]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=None if descriptors is None else functools.partial(_limit_descriptors, descriptors),
    )
    assert process.stdout is not None
    try:
        line = (await asyncio.wait_for(process.stdout.readline(), DEADLINE_S)).decode()
        found = re.search(r":(\d+)/", line)
        if found is None:
            raise LoadFailed("the bridge", repr(line))
        yield BridgeProcess(int(found[1]), process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def _limit_descriptors(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class GrpcCaller:
    """One caller over gRPC, as cheap as Python can be: the raw stub and requests made once, a frame at a time.

    Args:
        url: ``host:port``.
        model_name: An avatar.
        frame_ids: Asked for in turn, without end.
    """

    def __init__(self, url: str, model_name: str, frame_ids: Iterator[int]) -> None:
        options = [("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.insecure_channel(url, options=options)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._model_name, self._frame_ids = model_name, frame_ids
        self._request = functools.lru_cache(maxsize=None)(
            lambda frame_id: frame_request(model_name, frame_id, OUTPUTS)
        )

    def __enter__(self) -> GrpcCaller:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._channel.close()

    def call(self) -> int:
        """Fetch one frame, and return how many bytes its JPEG has.

        Raises:
            LoadFailed: If anything but a JPEG comes.
        """
        request = self._request(next(self._frame_ids))
        try:
            jpeg = bytes_output(self._stub.ModelInfer(request, timeout=DEADLINE_S), "jpeg")
        except grpc.RpcError as exc:
            raise LoadFailed(f"'{self._model_name}' over gRPC", str(exc)) from exc
        if bytes(jpeg[:2]) != JPEG_START:
            raise LoadFailed(f"'{self._model_name}' over gRPC", repr(bytes(jpeg[:16])))
        return len(jpeg)

    def statistics(self, model_name: str) -> service_pb2.ModelStatistics:
        """Return what Triton counted for a model since it was loaded."""
        answer = self._stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=model_name))
        return answer.model_stats[-1]
