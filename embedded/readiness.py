"""Tell when a Triton process answers at every address it was given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tritonclient.grpc import service_pb2, service_pb2_grpc

from embedded.command import Server

__all__ = ["answers"]

RETRY_S = 0.02
CHANNEL_OPTIONS = [  # look again soon: the port opens only after the models have loaded
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
]


async def answers(server: Server, extra_args: Sequence[str] = ()) -> None:
    """Return once Triton says it is ready and all its ports are open; wait as long as that takes.

    Triton opens gRPC when every model is loaded, then HTTP, then metrics: whoever asks over HTTP as soon as gRPC is
    ready may be refused.

    Args:
        server: The addresses.
        extra_args: Arguments of the process, which may have switched HTTP or metrics off.
    """
    async with server.grpc_channel(CHANNEL_OPTIONS) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        await stub.ServerReady(service_pb2.ServerReadyRequest(), wait_for_ready=True)
    for name, port in (("http", server.http_port), ("metrics", server.metrics_port)):
        if f"--allow-{name}=false" not in extra_args:
            await _port_opens(server.host, port)


async def _port_opens(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            await asyncio.sleep(RETRY_S)
        else:
            writer.close()
            return
