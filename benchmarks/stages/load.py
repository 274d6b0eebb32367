"""Load on one model as the network beside it makes it: pictures stay in shared memory, and only words go over gRPC."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.shared_memory import SharedMemory

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2, service_pb2_grpc

from benchmarks.errors import LoadFailed
from embedded import Server

__all__ = ["Region", "StageLoad", "run_load", "shared"]

DEADLINE_S = 60.0
MESSAGE_BYTES = 64 << 20


@dataclass(frozen=True)
class Region:
    """A piece of shared memory that Triton knows by ``name``, and where in it a caller's tensor lies."""

    name: str
    offset: int
    byte_size: int

    def fill(self, parameters: Mapping[str, service_pb2.InferParameter]) -> None:
        """Write into a tensor's parameters that its content lies here."""
        parameters["shared_memory_region"].string_param = self.name
        parameters["shared_memory_offset"].int64_param = self.offset
        parameters["shared_memory_byte_size"].int64_param = self.byte_size


@dataclass(frozen=True)
class StageLoad:
    """What each of a stage's callers sends, again and again.

    Attributes:
        model_name: Which model is asked.
        input: The name of what it is given.
        batch: What it is given: (B, …), int32, or uint8 pictures, which lie in shared memory.
        outputs: What is asked for; the sizes in bytes of those that are to lie in shared memory, else 0.
        callers: How many ask at once.
    """

    model_name: str
    input: str
    batch: NDArray[np.generic]
    outputs: Mapping[str, int]
    callers: int


@asynccontextmanager
async def shared(server: Server, load: StageLoad) -> AsyncIterator[list[service_pb2.ModelInferRequest]]:
    """Lend each caller's request, its pictures and large answers in shared memory of its own.

    Raises:
        LoadFailed: If Triton refuses the memory.
    """
    pictures = load.batch.nbytes if load.batch.dtype == np.uint8 else 0
    each = pictures + sum(load.outputs.values())
    memory = SharedMemory(create=True, size=max(1, each * load.callers))
    assert memory.buf is not None
    name = memory.name.lstrip("/")
    async with _stub(server) as stub:
        try:
            await _register(stub, server, name, memory.size)
            requests = []
            for caller in range(load.callers):
                memory.buf[caller * each : caller * each + pictures] = load.batch.tobytes()[:pictures]
                requests.append(_request(load, name, caller * each))
            yield requests
        finally:
            release = service_pb2.SystemSharedMemoryUnregisterRequest(name=name)
            await stub.SystemSharedMemoryUnregister(release, metadata=tuple(server.grpc_control.items()))
            memory.close()
            memory.unlink()


async def run_load(server: Server, requests: Sequence[service_pb2.ModelInferRequest], seconds: float) -> int:
    """Send each request again as soon as it is answered, for a time; return how many answers came.

    Raises:
        LoadFailed: If one is refused.
    """
    async with _stub(server) as stub:
        end_s = time.monotonic() + seconds

        async def ask(request: service_pb2.ModelInferRequest) -> int:
            count = 0
            while time.monotonic() < end_s:
                await stub.ModelInfer(request, timeout=DEADLINE_S)
                count += 1
            return count

        try:
            return sum(await asyncio.gather(*map(ask, requests)))
        except grpc.RpcError as exc:
            raise LoadFailed(f"'{requests[0].model_name}' alone", str(exc)) from exc


@asynccontextmanager
async def _stub(server: Server) -> AsyncIterator[service_pb2_grpc.GRPCInferenceServiceStub]:
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES)]
    async with grpc.aio.insecure_channel(server.grpc_url, options=options) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


async def _register(
    stub: service_pb2_grpc.GRPCInferenceServiceStub, server: Server, name: str, byte_size: int
) -> None:
    request = service_pb2.SystemSharedMemoryRegisterRequest(name=name, key=f"/{name}", byte_size=byte_size)
    try:
        await stub.SystemSharedMemoryRegister(request, metadata=tuple(server.grpc_control.items()))
    except grpc.RpcError as exc:
        raise LoadFailed("shared memory", str(exc)) from exc


def _request(load: StageLoad, region: str, offset: int) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name=load.model_name)
    datatype = "UINT8" if load.batch.dtype == np.uint8 else "INT32"
    given = request.inputs.add(name=load.input, datatype=datatype, shape=load.batch.shape)
    if load.batch.dtype == np.uint8:
        Region(region, offset, load.batch.nbytes).fill(given.parameters)
        offset += load.batch.nbytes
    else:
        request.raw_input_contents.append(load.batch.tobytes())
    for name, byte_size in load.outputs.items():
        asked = request.outputs.add(name=name)
        if byte_size:
            Region(region, offset, byte_size).fill(asked.parameters)
            offset += byte_size
    return request
