"""The gRPC server: both schemas of the service, standard health checking, and server reflection.

The one place that knows how a ``BridgeError`` reaches a gRPC client: in the response's field ``error`` if it has one,
else as a status.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bridge import request_id
from bridge.access.client import Client
from bridge.access.door import Door
from bridge.access.tls import OwnCertificate
from bridge.balancer import Balancer
from bridge.config import BridgeConfig
from bridge.errors import (
    BadRequest,
    BridgeError,
    InferTimeout,
    InternalError,
    InvalidFrameId,
    ListenError,
    NoUpstreamReady,
    Overloaded,
    Refused,
    UnknownModel,
)
from bridge.front.descriptors import connections_within, for_grpc
from bridge.front.errors import BridgeFull, TooMany
from bridge.front.limits import Limit, Most
from bridge.grpc_service import schema
from bridge.grpc_service.calls import DeployedCalls, ShortCalls
from bridge.grpc_service.guard import Guard, client_of
from bridge.grpc_service.ordered import in_order
from bridge.grpc_service.packages import PackageLoader
from bridge.live.errors import CannotHear
from bridge.live.models import LiveModels
from bridge.logs import log_failure
from bridge.metrics import CANCELLED, OK, Metrics
from bridge.service import Service
from bridge.turns import ask_as

__all__ = ["GrpcServer"]

HEALTH_NAMES = ("", schema.DEPLOYED, schema.SHORT)
SPARE_RPCS = 64
"""Calls beyond those that are counted: of health, and those that are about to be refused."""

MAX_REQUEST_BYTES = 2 << 20
"""A batch of frames with their sound has 1.3 MB."""

STREAMS_OF_CONNECTION = 256
BATCH_METHODS = ("GenerateBatchInference", "GenerateBatchWithAudio")
BATCHES = Most("batches in flight", 4, 8)
"""How many batches may be there whole, for clients that have not read them yet: 1,024 pictures are 12 MB."""


class Unreadable(BadRequest):
    """Raised when a request is not the message that its method takes; a status says so, whatever the method."""


STATUS_OF_ERROR = {
    Unreadable: grpc.StatusCode.INVALID_ARGUMENT,
    BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidFrameId: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownModel: grpc.StatusCode.NOT_FOUND,
    NoUpstreamReady: grpc.StatusCode.UNAVAILABLE,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    InferTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    CannotHear: grpc.StatusCode.FAILED_PRECONDITION,
    TooMany: grpc.StatusCode.RESOURCE_EXHAUSTED,
    BridgeFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
}

Call = Callable[[Any], Awaitable[Message]]

logger = logging.getLogger(__name__)


class GrpcServer:
    """A listening gRPC server.

    Attributes:
        port: The port it listens on, once started.
    """

    def __init__(
        self,
        config: BridgeConfig,
        balancer: Balancer,
        service: Service,
        metrics: Metrics,
        door: Door,
        requests: Limit,
        certificate: OwnCertificate | None = None,
        *,
        is_shared: bool = False,
    ) -> None:
        self.port = config.grpc_port
        self._config = config
        self._is_shared = is_shared
        self._door = door
        self._certificate = certificate
        self._requests = requests
        self._balancer = balancer
        self._metrics = metrics
        self._batches = Limit(BATCHES)
        self._health = health.aio.HealthServicer()
        self._health_keeper: asyncio.Task[None] | None = None
        self._unanswered = 0
        self._idle = asyncio.Event()
        self._idle.set()
        packages = PackageLoader(config, balancer)
        self._services = (
            DeployedCalls(
                config,
                service,
                metrics,
                packages,
                LiveModels(balancer, config.infer_timeout_s, is_live=False),
            ),
            ShortCalls(config, service, metrics),
        )

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: If the address cannot be listened on.
        """
        self._server = grpc.aio.server(
            options=_options(self._config, self._is_shared),
            maximum_concurrent_rpcs=self._config.requests_max + SPARE_RPCS,
            interceptors=[Guard(self._door)],
        )
        for calls in self._services:
            self._server.add_generic_rpc_handlers((self._handler(calls),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (schema.DEPLOYED, schema.SHORT, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server, pool=schema.POOL)
        self.port = self._listen()
        await self._server.start()
        await self._set_health()
        self._health_keeper = asyncio.create_task(self._keep_health())

    async def stop(self) -> None:
        """Accept no more, answer what is in flight within ``shutdown_timeout_s``, close all connections.

        A stream that asks for nothing at the moment is not waited for, nor whoever watches health.
        """
        if self._health_keeper is not None:
            self._health_keeper.cancel()
            await asyncio.gather(self._health_keeper, return_exceptions=True)
        await self._health.enter_graceful_shutdown()
        stopping = asyncio.create_task(self._server.stop(self._config.shutdown_timeout_s))
        idle = asyncio.create_task(self._idle.wait())
        try:
            await asyncio.wait({stopping, idle}, return_when=asyncio.FIRST_COMPLETED)
            await self._server.stop(None)
            await stopping
        finally:
            idle.cancel()

    def _listen(self) -> int:
        host, port = self._config.host, self._config.grpc_port
        try:
            # gRPC's own failure has no reason in it, and is logged by it as well
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.create_server((host, port), family=family, reuse_port=self._is_shared).close()
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            if self._certificate is None:
                return int(self._server.add_insecure_port(address))
            return int(self._server.add_secure_port(address, self._certificate.grpc_credentials()))
        except OSError as exc:
            raise ListenError.of(host, port, exc) from exc
        except RuntimeError as exc:
            raise ListenError(host, port, str(exc)) from exc

    async def _keep_health(self) -> None:
        while True:
            await asyncio.sleep(self._config.probe_interval_s)
            await self._set_health()

    async def _set_health(self) -> None:
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if self._balancer.healthy_count else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in HEALTH_NAMES:
            await self._health.set(name, status)

    def _handler(self, calls: DeployedCalls | ShortCalls) -> grpc.GenericRpcHandler:
        handlers = {}
        for method in schema.methods(calls.service_name):
            call = getattr(calls, method.name)
            make = (
                grpc.stream_stream_rpc_method_handler
                if method.streams
                else grpc.unary_unary_rpc_method_handler
            )
            handlers[method.name] = make(
                self._stream(method, call) if method.streams else self._unary(method, call),
                # as bytes: gRPC's own answer to what cannot be read would be that the bridge has failed
                request_deserializer=None,
                response_serializer=method.response_class.SerializeToString,
            )
        return grpc.method_handlers_generic_handler(calls.service_name, handlers)

    def _unary(self, method: schema.Method, call: Call) -> Callable[[Any, Any], Awaitable[Message]]:
        async def handle(content: bytes, context: grpc.aio.ServicerContext) -> Message:
            self._count(1)
            context.add_done_callback(lambda _: self._count(-1))  # once its answer was sent
            await self._accept(context)
            client = client_of(context, self._door)
            if not self._requests.try_take(client):
                await _abort(context, self._requests.refusal(client))
            context.add_done_callback(lambda _: self._requests.give_back(client))
            if method.name not in BATCH_METHODS:
                return await self._answer(method, call, content, context)
            async with self._batch_of(client, context):
                return await self._answer(method, call, content, context)

        return handle

    @contextlib.asynccontextmanager
    async def _batch_of(self, client: Client, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
        """Let one more batch be answered, once there may be one more until its answer is sent, or was not taken."""
        await self._batches.wait_and_take(client)
        held = _Held(lambda: self._batches.give_back(client))
        context.add_done_callback(lambda _: held.end())
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(self._config.send_timeout_s, held.end)

    def _stream(self, method: schema.Method, call: Call) -> Callable[[Any, Any], Awaitable[None]]:
        async def handle(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
            connection_id = await self._accept(context)
            client = client_of(context, self._door)
            unanswered = 0

            async def answer(numbered: tuple[int, Any]) -> Message:
                nonlocal unanswered
                unanswered += 1
                self._count(1)
                request_id.current.set(f"{connection_id}-{numbered[0]}")
                return await self._answer(method, call, numbered[1], context)

            taken = _Taken(self._requests, client)
            answers = in_order(taken.numbered(requests), answer, self._config.max_inflight)
            try:
                async with contextlib.aclosing(answers):
                    async for response in answers:
                        await context.write(response)
                        unanswered -= 1
                        self._count(-1)
                        taken.give_back(1)
            finally:
                self._count(-unanswered)
                taken.give_back(taken.count)

        return handle

    async def _accept(self, context: grpc.aio.ServicerContext) -> str:
        """Settle a call's id, and tell it to the client."""
        offered = [value for key, value in context.invocation_metadata() if key == request_id.METADATA_KEY]
        taken = request_id.taken_or_new(offered[0] if len(offered) == 1 else None)
        request_id.current.set(taken)
        ask_as(context.peer(), has_window=True)
        await context.send_initial_metadata(((request_id.METADATA_KEY, taken),))
        return taken

    def _count(self, change: int) -> None:
        self._unanswered += change
        if self._unanswered:
            self._idle.clear()
        else:
            self._idle.set()

    async def _answer(
        self, method: schema.Method, call: Call, content: bytes, context: grpc.aio.ServicerContext
    ) -> Message:
        code = CANCELLED
        request = method.request_class()
        try:
            request = _parsed(method, content)
            response = await call(request)
            code = OK
            return response
        except Unreadable as exc:
            code = exc.code
            return await _abort(context, exc)
        except BridgeError as exc:
            code = exc.code
            return await _fail(method, request, context, exc)
        except Exception:
            logger.exception("a bug: %s ended with a foreign exception", method.name)
            code = InternalError.code
            return await _fail(method, request, context, InternalError("foreign exception"))
        finally:
            self._metrics.rpcs.labels(method.name, code).inc()


async def _fail(
    method: schema.Method, request: Message, context: grpc.aio.ServicerContext, error: BridgeError
) -> Message:
    log_failure(error)
    response = schema.failure(method.response_class, request, str(error))
    if response is None:
        await _abort(context, error)
    return response


async def _abort(context: grpc.aio.ServicerContext, error: BridgeError) -> NoReturn:
    await context.abort(STATUS_OF_ERROR.get(type(error), grpc.StatusCode.INTERNAL), str(error))
    raise AssertionError("abort has returned")


def _parsed(method: schema.Method, content: bytes) -> Any:
    try:
        return method.request_class.FromString(content)
    except DecodeError as exc:
        raise Unreadable(
            "request", f"the message {method.request_class.DESCRIPTOR.name}", "something else"
        ) from exc


class _Held:
    """Something that is given back once, by whoever comes first."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def end(self) -> None:
        """Give it back."""
        if self._give_back is not None:
            give_back, self._give_back = self._give_back, None
            give_back()


class _Taken:
    """What one stream has in flight, as its client's."""

    def __init__(self, requests: Limit, client: Client) -> None:
        self.count = 0
        self._requests = requests
        self._client = client

    async def numbered(self, requests: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Any]]:
        """Yield the requests with their numbers, each once the client may have one more in flight."""
        number = 0
        async for request in requests:
            number += 1
            await self._requests.wait_and_take(self._client)
            self.count += 1
            yield number, request

    def give_back(self, count: int) -> None:
        for _ in range(count):
            self.count -= 1
            self._requests.give_back(self._client)


def _options(config: BridgeConfig, is_shared: bool) -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.so_reuseport", int(is_shared)),  # two bridges on one port would each get half of the calls
        ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
        ("grpc.max_concurrent_streams", STREAMS_OF_CONNECTION),
        ("grpc.server_handshake_timeout_ms", round(config.head_timeout_s * 1000)),
        ("grpc.max_connection_idle_ms", round(config.idle_timeout_s * 1000)),
        ("grpc.max_allowed_incoming_connections", for_grpc(connections_within(config.max_connections))),
    )
