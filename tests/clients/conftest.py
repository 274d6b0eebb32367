"""A fake Triton with both of its protocols, and a client of each kind."""

from __future__ import annotations

import shutil
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.clients.certificates import Certificate, make_certificate
from tests.clients.fake_speech_bridge import FakeSpeechBridge
from tests.clients.http_gateway import http_gateway
from tests.clients.kinds import KINDS, Client, opened
from tests.fake_triton import FakeTriton


@pytest.fixture
async def fake() -> AsyncIterator[FakeTriton]:
    """A fake Triton with 150 frames per avatar."""
    async with FakeTriton() as fake:
        yield fake


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of client in turn."""
    return request.param


@pytest.fixture
async def address(fake: FakeTriton, kind: str) -> AsyncIterator[str]:
    """``host:port`` of the fake for this kind of client."""
    if kind.endswith("grpc"):
        yield fake.address
    else:
        async with http_gateway(fake.address) as address:
            yield address


@pytest.fixture
async def client(kind: str, address: str) -> AsyncIterator[Client]:
    """A client of each kind in turn, connected to the fake."""
    async with opened(kind, address) as client:
        yield client


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port where nobody listens: it is bound as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate that is made for this run: none is kept, none expires."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command")
    return make_certificate(openssl, tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def bridge() -> AsyncIterator[FakeSpeechBridge]:
    """A fake bridge of live speech."""
    async with FakeSpeechBridge() as bridge:
        yield bridge
