"""Who may call, and how much at once: tokens, and limits of one client, where gRPC has its own words for both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

import grpc
import grpc.aio

from bridge.access.client import Client, counted_as
from bridge.access.door import Door
from bridge.access.errors import Unauthorized

__all__ = ["Guard", "client_of", "peer_address"]

AUTHORIZATION = "authorization"
OPEN = "/grpc.health.v1.Health/"
"""Answered without a token: who watches over the bridge need not know any."""


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # gRPC has no types
    """Refuses calls that show no token, where one is asked for."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        """Let a call through, or have it answered with UNAUTHENTICATED."""
        details: Any = handler_call_details
        handler = await continuation(handler_call_details)
        try:
            shown = _values(details.invocation_metadata)
            self._door.check_bearer(shown, "", details.method.startswith(OPEN))
        except Unauthorized as exc:
            return _refusing(handler, exc) if handler is not None else handler
        return handler


def client_of(context: Any, door: Door) -> Client:
    """Return who makes a call that was let through."""
    return door.check_bearer(_values(context.invocation_metadata()), peer_address(context.peer()), False)


def peer_address(peer: str) -> str:
    """Return the address of a peer, ``ipv4:127.0.0.1:80`` or ``ipv6:%5B::1%5D:80``, as it is counted."""
    return counted_as(unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]"))


def _values(metadata: Any) -> list[str]:
    return [str(value) for key, value in metadata or () if key == AUTHORIZATION]


def _refusing(handler: Any, error: Unauthorized) -> grpc.RpcMethodHandler:
    async def refuse(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(refuse)
