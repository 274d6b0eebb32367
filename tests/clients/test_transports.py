"""Which transport a URL gets, and what happens before the first answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import lipsync_client
from lipsync_client import InferTimeout, LipsyncClient, ServerUnavailable, TransportNotInstalled
from lipsync_client.grpc_transport import AsyncGrpcTransport, GrpcTransport
from lipsync_client.http_transport import AsyncHttpTransport, HttpTransport
from lipsync_client.settings import Settings, parse_url
from lipsync_client.transports import open_async_transport, open_transport
from tests.clients.kinds import opened


@pytest.mark.parametrize(
    ("url", "expected", "async_expected"),
    [
        ("grpc://triton", GrpcTransport, AsyncGrpcTransport),
        ("http://triton", HttpTransport, AsyncHttpTransport),
        ("grpcs://triton", GrpcTransport, AsyncGrpcTransport),
        ("https://triton", HttpTransport, AsyncHttpTransport),
    ],
)
def test_scheme_chooses(url: str, expected: type, async_expected: type) -> None:
    """The scheme alone chooses the transport, and opening one connects nowhere."""
    settings = Settings(endpoint=parse_url(url))
    transport = open_transport(settings)
    transport.close()
    assert type(transport) is expected
    assert type(open_async_transport(settings)) is async_expected


@pytest.mark.parametrize("missing", ["aiohttp", "tritonclient.http"])
def test_http_extra_missing(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Without the packages of the extra, an HTTP URL names the extra to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(TransportNotInstalled) as caught:
        LipsyncClient("http://triton")
    expected = "http:// needs lipsync-client[http], got an installation without this extra"
    assert str(caught.value) == expected


def test_grpc_needs_no_http_package() -> None:
    """A gRPC client works where aiohttp, gevent and tritonclient's HTTP half aren't installed."""
    code = (
        "import sys\n"
        "for name in ('aiohttp', 'gevent', 'tritonclient.http'): sys.modules[name] = None\n"
        "import lipsync_client\n"
        "lipsync_client.LipsyncClient('grpc://triton').close()\n"
    )
    folder = Path(lipsync_client.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, timeout=30)


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port that takes connections, and never says a word."""
    done = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        done.set()
        server.close()


async def test_silent_server(kind: str, silent_port: int) -> None:
    """A server that never speaks costs gRPC, which greets, the connect deadline, and HTTP the other one."""
    limits = (
        {"connect_timeout_s": 0.3, "infer_timeout_s": 5.0} if "grpc" in kind else {"infer_timeout_s": 0.3}
    )
    expected = ServerUnavailable if "grpc" in kind else InferTimeout
    async with opened(kind, f"127.0.0.1:{silent_port}", **limits) as client:
        with pytest.raises(expected):
            await asyncio.wait_for(client.render("echo", 0), 4)
