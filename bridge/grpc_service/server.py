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
from google.protobuf.message import Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bridge import request_id
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
from bridge.grpc_service import schema
from bridge.grpc_service.calls import DeployedCalls, ShortCalls
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
MAX_CONCURRENT_RPCS = 4096
OPTIONS = (
    ("grpc.so_reuseport", 0),  # two bridges on one port would each get half of the calls
)
STATUS_OF_ERROR = {
    BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidFrameId: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownModel: grpc.StatusCode.NOT_FOUND,
    NoUpstreamReady: grpc.StatusCode.UNAVAILABLE,
    Overloaded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Refused: grpc.StatusCode.FAILED_PRECONDITION,
    InferTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    CannotHear: grpc.StatusCode.FAILED_PRECONDITION,
}

Call = Callable[[Any], Awaitable[Message]]

logger = logging.getLogger(__name__)


class GrpcServer:
    """A listening gRPC server.

    Attributes:
        port: The port it listens on, once started.
    """

    def __init__(self, config: BridgeConfig, balancer: Balancer, service: Service, metrics: Metrics) -> None:
        self.port = config.grpc_port
        self._config = config
        self._balancer = balancer
        self._metrics = metrics
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
        self._server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=MAX_CONCURRENT_RPCS)
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
            socket.create_server((host, port), family=family).close()
            return int(
                self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            )
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
                request_deserializer=method.request_class.FromString,
                response_serializer=method.response_class.SerializeToString,
            )
        return grpc.method_handlers_generic_handler(calls.service_name, handlers)

    def _unary(self, method: schema.Method, call: Call) -> Callable[[Any, Any], Awaitable[Message]]:
        async def handle(request: Any, context: grpc.aio.ServicerContext) -> Message:
            self._count(1)
            context.add_done_callback(lambda _: self._count(-1))  # once its answer was sent
            await self._accept(context)
            return await self._answer(method, call, request, context)

        return handle

    def _stream(self, method: schema.Method, call: Call) -> Callable[[Any, Any], Awaitable[None]]:
        async def handle(requests: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
            connection_id = await self._accept(context)
            unanswered = 0

            async def answer(numbered: tuple[int, Any]) -> Message:
                nonlocal unanswered
                unanswered += 1
                self._count(1)
                request_id.current.set(f"{connection_id}-{numbered[0]}")
                return await self._answer(method, call, numbered[1], context)

            answers = in_order(_numbered(requests), answer, self._config.max_inflight)
            try:
                async with contextlib.aclosing(answers):
                    async for response in answers:
                        await context.write(response)
                        unanswered -= 1
                        self._count(-1)
            finally:
                self._count(-unanswered)

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
        self, method: schema.Method, call: Call, request: Any, context: grpc.aio.ServicerContext
    ) -> Message:
        code = CANCELLED
        try:
            response = await call(request)
            code = OK
            return response
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


async def _numbered(requests: AsyncIterator[Any]) -> AsyncIterator[tuple[int, Any]]:
    number = 0
    async for request in requests:
        number += 1
        yield number, request
