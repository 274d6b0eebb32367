"""``infer_timeout_s`` is one deadline over a whole exchange, ``connect_timeout_s`` one over all of connecting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from lipsync_client import InferTimeout, ServerUnavailable
from tests.clients.certificates import Certificate
from tests.clients.http_gateway import http_gateway
from tests.clients.kinds import opened
from tests.clients.trickle import trickle
from tests.fake_triton import FakeTriton, fake_jpeg

HTTP_KINDS = ["sync-http", "async-http"]


async def test_an_answer_that_trickles(kind: str, address: str) -> None:
    """A server that sends a byte now and then is late: each byte does not buy another deadline."""
    async with trickle(address) as (proxy, slow), opened(kind, slow, infer_timeout_s=0.4) as client:
        with contextlib.suppress(InferTimeout):  # connects; a busy machine may take its time
            assert await client.render("echo", 0) == fake_jpeg("echo", 0)
        proxy.at_once = 0
        with pytest.raises(InferTimeout, match=r"within 0\.4 s, got none$"):
            await client.render("echo", 1)


@pytest.mark.parametrize("at_once", [0, 40, 300], ids=["status line", "headers", "body"])
@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_each_part_of_an_answer(kind: str, at_once: int, fake: FakeTriton) -> None:
    """Status line, headers and body share the deadline; the connection is not used again, but closed."""
    async with http_gateway(fake.address) as address, trickle(address) as (proxy, slow):
        proxy.at_once = at_once
        async with opened(kind, slow, infer_timeout_s=0.4) as client:
            with pytest.raises(InferTimeout):
                await client.render("echo", 0)
            await asyncio.wait_for(proxy.done.wait(), 5)


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_an_encrypted_answer_that_trickles(
    kind: str, fake: FakeTriton, certificate: Certificate
) -> None:
    """TLS changes nothing: the handshake is part of connecting, the answer has its deadline."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.path, certificate.key_path)
    limits = {"infer_timeout_s": 1.0, "connect_timeout_s": 0.5, "root_certificates": certificate.path}
    kind = kind.replace("http", "https")
    async with http_gateway(fake.address, tls=context) as address, trickle(address) as (proxy, slow):
        async with opened(kind, slow, **limits) as client:
            with contextlib.suppress(InferTimeout, ServerUnavailable):
                await client.render("echo", 0)
            proxy.at_once = 0
            with pytest.raises((InferTimeout, ServerUnavailable), match=r"within (1|0\.5) s"):
                await client.render("echo", 1)
        async with opened(kind, slow, **limits) as client:
            with pytest.raises(ServerUnavailable, match=r"no connection within 0\.5 s"):
                await client.render("echo", 0)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full: the kernel ignores any further connection."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


async def test_connecting_is_part_of_the_exchange(kind: str, full_port: int) -> None:
    """Where the deadline of the whole comes before that of connecting, it ends the attempt, and says so."""
    limits = {"infer_timeout_s": 0.3, "connect_timeout_s": 60.0}
    async with opened(kind, f"127.0.0.1:{full_port}", **limits) as client:
        with pytest.raises(InferTimeout, match=r"within 0\.3 s"):
            await asyncio.wait_for(client.render("echo", 0), 10)


@contextlib.contextmanager
def stuck_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a name server that does not answer before this ends."""
    answer = threading.Event()
    look_up = socket.getaddrinfo

    def stuck(host: str, *args: object, **options: object) -> object:
        if host == "triton.example":
            answer.wait(30)
        return look_up("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    try:
        yield
    finally:
        answer.set()


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_looking_a_name_up_is_part_of_connecting(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that hangs costs the connect deadline, or that of the whole if it comes first."""
    with stuck_resolver(monkeypatch):
        async with opened(kind, "triton.example:8000", connect_timeout_s=0.3) as client:
            with pytest.raises(ServerUnavailable, match=r"no connection within 0\.3 s"):
                await asyncio.wait_for(client.render("echo", 0), 10)
        async with opened(kind, "triton.example:8000", infer_timeout_s=0.3) as client:
            with pytest.raises(InferTimeout, match=r"within 0\.3 s"):
                await asyncio.wait_for(client.render("echo", 0), 10)
