"""The HTTP transports: kept connections, TLS, PEM files."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from lipsync_client import InvalidSetting, LipsyncClient, ServerUnavailable
from tests.clients.certificates import Certificate
from tests.clients.http_gateway import http_gateway
from tests.clients.kinds import opened
from tests.fake_triton import FakeTriton, fake_jpeg

HTTP_KINDS = ["sync-http", "async-http"]
READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Connections:
    """A server that answers the same to each request, and can drop its connections."""

    def __init__(self, answer: bytes = READY) -> None:
        self.answer = answer
        self.accepted = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def drop(self) -> None:
        for writer in self.writers:
            writer.close()


async def test_connection_is_kept_and_replaced_when_dropped() -> None:
    """Requests share a connection; one that the server dropped while idle costs no error."""
    connections = Connections()
    server = await asyncio.start_server(connections.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with LipsyncClient(f"http://127.0.0.1:{port}") as client:
        assert await asyncio.to_thread(client.is_server_ready)
        assert await asyncio.to_thread(client.is_server_ready)
        assert connections.accepted == 1
        connections.drop()
        assert await asyncio.to_thread(client.is_server_ready)
        assert connections.accepted == 2
    connections.drop()
    server.close()


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_tls(kind: str, fake: FakeTriton, certificate: Certificate) -> None:
    """https:// trusts the given authority; without it the server is not believed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.path, certificate.key_path)
    kind = kind.replace("http", "https")
    async with http_gateway(fake.address, tls=context) as address:
        async with opened(kind, address, root_certificates=certificate.path) as client:
            assert await client.render("echo", 1) == fake_jpeg("echo", 1)
        async with opened(kind, address) as client:
            with pytest.raises(ServerUnavailable, match="certificate verify failed"):
                await client.render("echo", 0)


def test_file_that_is_no_pem(tmp_path: Path) -> None:
    """A file of another kind is refused when the client is made."""
    path = tmp_path / "roots.pem"
    path.write_text("no certificate")
    with pytest.raises(InvalidSetting, match="root_certificates must be a PEM file, got"):
        LipsyncClient("https://triton", root_certificates=str(path))


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_server_that_speaks_no_http(kind: str) -> None:
    """Bytes that are no HTTP mean that there is no Triton at the URL."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail server ready\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with opened(kind, f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        with pytest.raises(ServerUnavailable, match="220 mail"):
            await client.call("models")
    server.close()


@pytest.mark.parametrize("kind", HTTP_KINDS)
async def test_connection_that_never_comes(kind: str) -> None:
    """A server that takes no connection costs the connect deadline, and is away, not late."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than its queue holds: the kernel ignores any further one
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        async with opened(kind, f"127.0.0.1:{full.getsockname()[1]}", connect_timeout_s=0.3) as client:
            with pytest.raises(ServerUnavailable, match=r"no connection within 0\.3 s"):
                await client.render("echo", 0)


async def test_close_ends_connections_when_their_requests_are_done() -> None:
    """A request that was in flight when the client was closed has its answer; then its connection ends."""
    asked, answer, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await answer.wait()
        writer.write(READY)
        assert await reader.read() == b""
        ended.set()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = LipsyncClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", infer_timeout_s=20)
    waiting = asyncio.create_task(asyncio.to_thread(client.is_server_ready))
    await asked.wait()
    client.close()
    answer.set()
    assert await waiting
    await asyncio.wait_for(ended.wait(), 10)
    server.close()


async def test_a_server_that_keeps_no_connection() -> None:
    """Where every answer ends its connection, every request has a new one."""
    connections = Connections(READY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    server = await asyncio.start_server(connections.serve, "127.0.0.1", 0)
    with LipsyncClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
        for count in (1, 2, 3):
            assert await asyncio.to_thread(client.is_server_ready)
            assert connections.accepted == count
    connections.drop()
    server.close()
