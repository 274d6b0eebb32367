"""The two gRPC transports."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import grpc
from tritonclient.grpc import service_pb2_grpc

from lipsync_client import grpc_wire
from lipsync_client.interfaces import Wire
from lipsync_client.settings import Settings
from lipsync_client.wire import Call

__all__ = ["AsyncGrpcTransport", "GrpcTransport"]

MAX_RECONNECT_PAUSE_MS = 1000
"""Longest pause before another attempt to connect; gRPC's own, two minutes, hides a server that is back."""

T = TypeVar("T")


class GrpcTransport:
    """One gRPC channel; a channel serves any number of threads."""

    wire: Wire = grpc_wire
    foreign: tuple[type[Exception], ...] = (grpc.RpcError,)

    def __init__(self, settings: Settings) -> None:
        self._infer_timeout_s = settings.infer_timeout_s
        self._channel = _open_channel(grpc, settings)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    def send(self, call: Call[T]) -> T:
        """Send one unary call.

        Raises:
            grpc.RpcError: If it fails.
        """
        method = getattr(self._stub, call.request.method)
        return call.parse(method(call.request.message, timeout=self._infer_timeout_s))

    def close(self) -> None:
        """Close the channel, and cancel what is in flight."""
        self._channel.close()


class AsyncGrpcTransport:
    """One gRPC channel of one event loop."""

    wire: Wire = grpc_wire
    foreign: tuple[type[Exception], ...] = (grpc.RpcError, ConnectionError)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        # a channel belongs to the loop that runs while it is made, and none may run in __init__
        return _open_channel(grpc.aio, self._settings)

    @cached_property
    def _stub(self) -> service_pb2_grpc.GRPCInferenceServiceStub:
        return service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def send(self, call: Call[T]) -> T:
        """Send one unary call; cancelling it cancels it at the server too.

        Raises:
            grpc.RpcError: If it fails.
            ConnectionError: If the channel is closed meanwhile.
        """
        method = getattr(self._stub, call.request.method)
        pending = method(call.request.message, timeout=self._settings.infer_timeout_s)
        try:
            await pending.code()  # raises CancelledError for this task's cancellation only
        finally:
            pending.cancel()  # does nothing when it is done
        if pending.cancelled():
            raise ConnectionError("the request was cancelled by its connection")
        return call.parse(await pending)

    async def close(self) -> None:
        """Close the channel, and cancel what is in flight."""
        if "_channel" in self.__dict__:
            await self._channel.close()


def _open_channel(module: ModuleType, settings: Settings) -> grpc.Channel | grpc.aio.Channel:
    endpoint = settings.endpoint
    options = [
        ("grpc.max_receive_message_length", -1),  # 4 MiB is less than a large batch of JPEGs
        ("grpc.min_reconnect_backoff_ms", int(settings.connect_timeout_s * 1000)),  # the connect deadline
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", MAX_RECONNECT_PAUSE_MS),
        ("grpc.use_local_subchannel_pool", 1),  # no other client's failed attempts count against this one
    ]
    if not endpoint.is_tls:
        return module.insecure_channel(endpoint.address, options=options)
    roots = Path(settings.root_certificates).read_bytes() if settings.root_certificates else None
    credentials = grpc.ssl_channel_credentials(root_certificates=roots)
    return module.secure_channel(endpoint.address, credentials, options=options)
