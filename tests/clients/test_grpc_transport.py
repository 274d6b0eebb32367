"""The gRPC transports: a server that comes back, TLS."""

from __future__ import annotations

import asyncio
from types import ModuleType

import grpc
import pytest
from tritonclient.grpc import service_pb2_grpc

from lipsync_client import AsyncLipsyncClient, LipsyncClient, ServerUnavailable
from lipsync_client.grpc_transport import _open_channel
from lipsync_client.settings import Settings, parse_url
from tests.clients.certificates import Certificate
from tests.clients.kinds import opened
from tests.fake_triton import FakeTriton, fake_jpeg


async def test_server_that_comes_back(fake: FakeTriton) -> None:
    """A client outlives its server: soon after a restart on the same port it renders again."""
    async with AsyncLipsyncClient(fake.address) as client:
        assert await client.is_server_ready()
        await fake.kill()
        assert not await client.is_server_ready()
        await fake.start()
        await asyncio.wait_for(until_ready(client), 10)
        assert await client.render("echo", 3) == fake_jpeg("echo", 3)


async def until_ready(client: AsyncLipsyncClient) -> None:
    """Ask again until the server is ready; each question waits for the network."""
    while not await client.is_server_ready():
        pass


async def test_tls(fake: FakeTriton, certificate: Certificate) -> None:
    """grpcs:// trusts the given authority; without it the server is not believed."""
    server = grpc.aio.server()
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(fake, server)
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([certificate.pem]))
    await server.start()
    url = f"grpcs://localhost:{port}"
    try:
        async with AsyncLipsyncClient(url, root_certificates=certificate.path) as client:
            assert await client.render("echo", 1) == fake_jpeg("echo", 1)
        with LipsyncClient(url, root_certificates=certificate.path) as sync_client:
            assert await asyncio.to_thread(sync_client.render, "echo", 2) == fake_jpeg("echo", 2)
        async with AsyncLipsyncClient(url) as client:
            assert not await client.is_server_ready()
    finally:
        await server.stop(None)


async def test_refused_connection_names_the_server(free_port: int) -> None:
    """gRPC's reason is kept behind our sentence, and the exception behind ours."""
    async with AsyncLipsyncClient(f"127.0.0.1:{free_port}") as client:
        with pytest.raises(ServerUnavailable) as caught:
            await client.render("echo", 0)
    cause = caught.value.__cause__
    assert isinstance(cause, grpc.RpcError)
    assert cause.details() == caught.value.reason


@pytest.mark.parametrize("kind", ["sync-grpc", "async-grpc"])
async def test_an_answer_of_many_megabytes(kind: str) -> None:
    """A batch of large pictures is more than the 4 MiB that gRPC takes by itself."""
    async with (
        FakeTriton(jpeg=lambda name, frame_id: bytes(6 << 20)) as big,
        opened(kind, big.address) as client,
    ):
        assert len(await client.render("echo", 0)) == 6 << 20


@pytest.mark.parametrize("module", [grpc, grpc.aio])
def test_connecting(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt to connect has the connect deadline; pauses between two are a second at most, and nobody else's."""
    asked = []
    monkeypatch.setattr(module, "insecure_channel", lambda address, options: asked.append(dict(options)))
    _open_channel(module, Settings(endpoint=parse_url("grpc://triton"), connect_timeout_s=1.5))
    assert asked[0]["grpc.min_reconnect_backoff_ms"] == 1500
    assert asked[0]["grpc.max_reconnect_backoff_ms"] == 1000
    assert asked[0]["grpc.use_local_subchannel_pool"] == 1
