"""The two HTTP transports: the standard library's connections for threads, aiohttp for asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TypeVar

import aiohttp
from yarl import URL

from lipsync_client import http_wire
from lipsync_client.errors import InvalidSetting
from lipsync_client.failures import HttpRefusal
from lipsync_client.http_wire import JSON_SIZE, HttpRequest, HttpResponse
from lipsync_client.interfaces import Wire
from lipsync_client.settings import Settings
from lipsync_client.sockets import Deadline, DeadlineSocket, dial
from lipsync_client.wire import Call

__all__ = ["AsyncHttpTransport", "HttpTransport"]

T = TypeVar("T")


class HttpTransport:
    """A stack of kept-alive connections; each thread takes one for the time of a request."""

    wire: Wire = http_wire
    foreign: tuple[type[Exception], ...] = (OSError, HTTPException, HttpRefusal)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls = _tls_context(settings)
        self._idle: deque[HTTPConnection] = deque()
        self._closed = False

    def send(self, call: Call[T]) -> T:
        """Send one request.

        Raises:
            OSError: If the server can't be reached, or is late (``TimeoutError``).
            HTTPException: If what answers doesn't speak HTTP.
            HttpRefusal: If the status isn't 200.
        """
        return call.parse(self._exchange(call.request, Deadline(self._settings.infer_timeout_s)))

    def close(self) -> None:
        """Close the idle connections now, and those in use when their requests are done."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def _exchange(self, request: HttpRequest, deadline: Deadline) -> HttpResponse:
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return self._round_trip(self._connect(deadline), request, deadline)
            try:
                return self._round_trip(connection, request, deadline)
            except ConnectionError:  # the server had closed it while it was idle; asking twice is harmless
                continue

    def _connect(self, deadline: Deadline) -> HTTPConnection:
        endpoint, limit_s = self._settings.endpoint, self._settings.connect_timeout_s
        if self._tls is None:
            connection = HTTPConnection(endpoint.host, endpoint.port)
        else:
            connection = HTTPSConnection(endpoint.host, endpoint.port, context=self._tls)
        left_s = deadline.left_s()
        try:
            limit = Deadline(min(limit_s, left_s))
            connection.sock = dial(endpoint.host, endpoint.port, limit, self._tls)
        except TimeoutError as exc:
            if left_s <= limit_s:
                raise
            raise ConnectionError(f"no connection within {limit_s:g} s") from exc  # away, not late
        return connection

    def _round_trip(
        self, connection: HTTPConnection, request: HttpRequest, deadline: Deadline
    ) -> HttpResponse:
        if not isinstance(connection.sock, DeadlineSocket):
            raise ConnectionError(
                "the connection was closed"
            )  # after its last answer, or by close() meanwhile
        connection.sock.deadline = deadline
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            body = response.read()
        except BaseException:  # half a request or half an answer: nobody may use it again
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:
            connection.close()
        return HttpResponse(response.status, body, response.headers.get(JSON_SIZE))


class AsyncHttpTransport:
    """One aiohttp session of one event loop."""

    wire: Wire = http_wire
    foreign: tuple[type[Exception], ...] = (OSError, aiohttp.ClientError, asyncio.TimeoutError, HttpRefusal)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls = _tls_context(settings)

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        # a session belongs to the loop that runs while it is made, and none may run in __init__
        limits = aiohttp.ClientTimeout(
            total=self._settings.infer_timeout_s, connect=self._settings.connect_timeout_s
        )
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)  # callers bound themselves
        return aiohttp.ClientSession(connector=connector, timeout=limits)

    async def send(self, call: Call[T]) -> T:
        """Send one request; cancelling it closes its connection.

        Raises:
            OSError, aiohttp.ClientError: If the server can't be reached or doesn't speak HTTP.
            asyncio.TimeoutError: If the answer is late.
            HttpRefusal: If the status isn't 200.
        """
        return call.parse(await self._exchange(call.request))

    async def close(self) -> None:
        """Close the session and its connections."""
        if "_session" in self.__dict__:
            await self._session.close()

    async def _exchange(self, request: HttpRequest) -> HttpResponse:
        url = URL(f"{self._settings.endpoint}{request.path}", encoded=True)
        try:
            async with self._session.request(
                request.method, url, data=request.body, headers=request.headers
            ) as response:
                body = await response.read()
                return HttpResponse(response.status, body, response.headers.get(JSON_SIZE))
        except aiohttp.ServerTimeoutError as exc:  # of the limits set above, only connect raises this
            raise ConnectionError(f"no connection within {self._settings.connect_timeout_s:g} s") from exc


def _tls_context(settings: Settings) -> ssl.SSLContext | None:
    if not settings.endpoint.is_tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.root_certificates)
    except ssl.SSLError as exc:
        raise InvalidSetting("root_certificates", "a PEM file", settings.root_certificates) from exc
