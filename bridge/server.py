"""The bridge as a resource: ``async with serve(config) as bridge`` listens, and shuts down in order."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from bridge import request_id
from bridge.access.door import Door
from bridge.access.tls import OwnCertificate
from bridge.answer import Answerer
from bridge.balancer import Balancer
from bridge.config import GRPC_OFF, METRICS_TOO, BridgeConfig
from bridge.errors import ListenError
from bridge.front.connection import MAX_MESSAGE_BYTES, Connection
from bridge.front.descriptors import connections_within
from bridge.front.front import Front
from bridge.front.limits import Limit, Most
from bridge.front.websocket import WebSocket
from bridge.grpc_service.server import GrpcServer
from bridge.http import SPEECH_PATH, STATIC_FOLDER, MonitorRoutes, Routes, load_static_files
from bridge.live.hub import Hub
from bridge.live.session import SpeechSession
from bridge.live.wire import SUBPROTOCOL
from bridge.metrics import Metrics
from bridge.monitor import Monitor
from bridge.service import Service
from bridge.session import Session
from bridge.turns import ask_as
from bridge.workers.siblings import Siblings
from bridge.workers.team import Team

__all__ = ["Bridge", "serve"]

CLOSE_TIMEOUT_S = 2.0
FRAMES_SUBPROTOCOL = "lipsync.frames.v1"
"""The name of what is spoken at ``/ws``; who offers no name speaks it all the same."""

KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
RECEIVED_BYTES = 128 << 10
"""What the system keeps of a connection's input; by itself it keeps megabytes of each."""

ABORT_TIMEOUT_S = 1.0

logger = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def serve(config: BridgeConfig, team: Team | None = None) -> AsyncIterator[Bridge]:
    """Listen until the block ends, then answer what is in flight and close everything.

    Args:
        config: The settings.
        team: Workers that share the ports, of which this is one; None: it is alone.

    Raises:
        ListenError: If the address cannot be listened on, for example because the port is in use.
        UnresolvableUpstream: If DNS does not know an upstream's host.
        NoneReadyInTime: If no upstream is ready within ``require_ready_s``, where that is set.
    """
    async with Balancer(config) as balancer:
        bridge = Bridge(config, balancer, team)
        await bridge.start()
        try:
            yield bridge
        finally:
            await bridge.stop()


class Bridge:
    """A listening bridge.

    Attributes:
        balancer: Its upstreams and their state.
        port: The port it listens on, also when the configuration left the choice to the system.
    """

    def __init__(self, config: BridgeConfig, balancer: Balancer, team: Team | None = None) -> None:
        team = team or Team()
        self.balancer = balancer
        self.port = config.port
        self._config = config
        self._shares_ports = team.has_others
        self._metrics = Metrics()
        self._metrics.watch(balancer)
        self._siblings = Siblings(team, self._metrics.render)
        self._service = service = Service(config, balancer, self._metrics)
        self._door = Door(config)
        self._routes = routes = Routes(
            service,
            balancer,
            self._siblings.exposition,
            load_static_files(STATIC_FOLDER),
            self._door,
            has_metrics=config.metrics_port == METRICS_TOO,
        )
        self._monitor: Monitor | None = None
        if config.metrics_port != METRICS_TOO:
            monitor_routes = MonitorRoutes(service, balancer, self._siblings.exposition, {}, self._door)
            self._monitor = Monitor(config, monitor_routes, is_shared=team.has_others)
        self._requests = Limit(Most("requests in flight", config.requests_per_client, config.requests_max))
        self._certificate: OwnCertificate | None = None
        if config.tls_cert_file:
            self._certificate = OwnCertificate(config.tls_cert_file, config.tls_key_file)
        self._grpc: GrpcServer | None = None
        if config.grpc_port != GRPC_OFF:
            self._grpc = GrpcServer(
                config,
                balancer,
                service,
                self._metrics,
                self._door,
                self._requests,
                self._certificate,
                is_shared=team.has_others,
            )
        self._front = Front(config, routes, self._requests, connections_within(config.max_connections))
        self._answerer = Answerer(service, config.max_message_bytes)
        self._hub = Hub(config, balancer, service, self._metrics.live, team)
        self._sessions: set[Session | SpeechSession] = set()
        self._stopping = False
        self._server: Server

    @property
    def url(self) -> str:
        """The page's address, as one would type it on this machine."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self._config.host, self._config.host)
        scheme = "http" if self._certificate is None else "https"
        return f"{scheme}://[{host}]:{self.port}/" if ":" in host else f"{scheme}://{host}:{self.port}/"

    @property
    def metrics_port(self) -> int:
        """The port of metrics and health."""
        return self.port if self._monitor is None else self._monitor.port

    @property
    def grpc_address(self) -> str | None:
        """Where the gRPC service listens, None if it does not."""
        if self._grpc is None:
            return None
        host = self._config.host
        return f"[{host}]:{self._grpc.port}" if ":" in host else f"{host}:{self._grpc.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenError: If one of the addresses cannot be listened on.
        """
        await self._listen()
        try:
            if self._grpc is not None:
                await self._grpc.start()
            if self._monitor is not None:
                await self._monitor.start()
            await self._siblings.start()
        except BaseException:
            self._server.close()
            await self._server.wait_closed()
            if self._grpc is not None:
                await self._grpc.stop()
            raise
        self._warn()

    def _warn(self) -> None:
        """Say what is open to all who can reach the bridge, where that is not only this machine."""
        missing = [
            what
            for what, is_there in (
                ("asks for no token (BRIDGE_TOKENS_FILE)", self._door.asks_for_tokens),
                ("speaks no TLS (BRIDGE_TLS_CERT_FILE)", self._certificate is not None),
            )
            if not is_there
        ]
        if missing and not _is_loopback(self._config.host):
            logger.warning("the bridge listens on %s and %s", self._config.host, " and ".join(missing))

    async def _listen(self) -> None:
        config = self._config
        try:
            self._server = await serve_websockets(
                self._handle,
                config.host,
                config.port,
                create_connection=cast(Any, self._new_connection),
                process_response=_name_connection,
                select_subprotocol=_select_subprotocol,
                server_header=None,
                compression=None,  # a JPEG does not get any smaller
                # a client under backpressure has its pong behind requests that are not read yet: TCP tells who is gone
                ping_timeout=None,
                max_size=MAX_MESSAGE_BYTES,
                ssl=None if self._certificate is None else self._certificate.context(),
                open_timeout=config.head_timeout_s,
                close_timeout=CLOSE_TIMEOUT_S,
                reuse_port=self._shares_ports or None,
            )
        except OSError as exc:
            raise ListenError.of(config.host, config.port, exc) from exc
        for listening in self._server.sockets:  # connections inherit it
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Accept no more, answer what is in flight within ``shutdown_timeout_s``, close all connections."""
        self._stopping = True
        self._server.close(close_connections=False)
        for session in self._sessions:
            session.drain()
        ending = [self._front.close(self._config.shutdown_timeout_s), self._end_websockets()]
        if self._grpc is not None:
            ending.append(self._grpc.stop())
        if self._monitor is not None:
            ending.append(self._monitor.stop())
        await asyncio.gather(*ending)
        await self._siblings.stop()
        await self._hub.close()
        await self._service.close()

    def _new_connection(self, protocol: ServerProtocol, server: Server, **options: Any) -> Connection:
        return Connection(self._front, protocol, lambda: WebSocket(protocol, server, **options))

    def _new_session(self, websocket: WebSocket, connection_id: str) -> Session | SpeechSession:
        if websocket.path == SPEECH_PATH:
            return SpeechSession(websocket, self._hub, self._config, connection_id)
        return Session(websocket, self._answerer, self._config, self._metrics, self._requests, connection_id)

    async def _end_websockets(self) -> None:
        try:
            await asyncio.wait_for(self._server.wait_closed(), self._config.shutdown_timeout_s)
        except asyncio.TimeoutError:
            logger.warning("%d connections dropped: not done in time", len(self._sessions))
            for session in self._sessions:
                session.abort()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._server.wait_closed(), ABORT_TIMEOUT_S)

    async def _handle(self, websocket: ServerConnection) -> None:
        assert isinstance(websocket, WebSocket)
        if self._stopping:
            await websocket.close(CloseCode.GOING_AWAY)
            return
        _keep_alive(websocket)
        assert websocket.response is not None
        connection_id = websocket.response.headers[request_id.HEADER]
        request_id.current.set(connection_id)
        host, port, *_ = websocket.remote_address
        ask_as(f"{host} {port}", has_window=True)
        session = self._new_session(websocket, connection_id)
        self._sessions.add(session)
        logger.info("connection of %s opened", websocket.remote_address[0])
        try:
            await session.run()
        finally:
            self._sessions.remove(session)
            logger.info("connection closed after %d requests", session.requests)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _select_subprotocol(connection: Any, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Speak the protocol of the path with those who offer it by name."""
    name = SUBPROTOCOL if connection.path == SPEECH_PATH else FRAMES_SUBPROTOCOL
    return Subprotocol(name) if name in offered else None


def _name_connection(connection: ServerConnection, request: Request, response: Response) -> Response:
    """Tell the client its connection's id, which its requests' ids begin with."""
    response.headers[request_id.HEADER] = request_id.of_http(request.path, request.headers)
    return response


def _keep_alive(websocket: ServerConnection) -> None:
    """Have the system find out, within two minutes, that a silent peer has vanished."""
    connection = websocket.transport.get_extra_info("socket")
    for level, option, value in KEEP_ALIVE:
        connection.setsockopt(level, option, value)
