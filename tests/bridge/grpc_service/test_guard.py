"""bridge/grpc_service/guard.py"""

import asyncio
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bridge.access.tokens import Key, sign
from bridge.grpc_service.guard import peer_address
from bridge.server import serve
from tests.bridge.helpers import config_for

SECRET = "s" * 32


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "tokens").write_text(f"site {SECRET}\n")
    return {"tokens_file": str(tmp_path / "tokens"), "requests_per_client": 1}


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:5000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::1]:5000", "2001:db8::/64"),
        ("unix:", ""),
    ],
)
def test_peers(peer, address):
    """A peer counts as its address."""
    assert peer_address(peer) == address


async def test_calls_without_a_token(channel, pb, deployed):
    """A call without a token is UNAUTHENTICATED, a stream and reflection too; health is answered."""

    async def requests():
        yield pb.OptimizedInferenceRequest(model_name="echo", frame_id=1)

    async def ask_what_there_is():
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    calls = [
        deployed.ListModels(pb.ListModelsRequest()),
        deployed.ListModels(pb.ListModelsRequest(), metadata=(("authorization", "Bearer x"),)),
        deployed.StreamInference(requests()).read(),
        reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(ask_what_there_is()).read(),
    ]
    for call in calls:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert caught.value.details().startswith("token: expected one that the bridge knows, got ")
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("make", [lambda: SECRET, lambda: sign(Key("site", SECRET), time.time() + 60)])
async def test_calls_with_a_token(pb, deployed, make):
    """A secret and a signed token are taken."""
    answer = await deployed.ListModels(
        pb.ListModelsRequest(), metadata=(("authorization", f"Bearer {make()}"),)
    )
    assert answer.count == 3


async def test_calls_in_flight(triton, pb, deployed):
    """Of one client so many calls are in flight; one more is RESOURCE_EXHAUSTED."""
    shown = (("authorization", f"Bearer {SECRET}"),)
    request = pb.OptimizedInferenceRequest(model_name="slow", frame_id=1)
    slow = asyncio.ensure_future(deployed.GenerateInference(request, metadata=shown))
    await triton.wait_for_calls("slow", 1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await deployed.ListModels(pb.ListModelsRequest(), metadata=shown)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details().startswith("requests in flight: expected at most 1 of one address")
    triton.release.set()
    assert (await slow).success
    assert (await deployed.ListModels(pb.ListModelsRequest(), metadata=shown)).count == 3


async def test_connections_have_a_limit(triton):
    """Connections beyond the limit are closed; one that says nothing goes in time, and makes room."""
    async with serve(config_for(triton, grpc_port=0, max_connections=8, head_timeout_s=0.5)) as bridge:
        host, port = bridge.grpc_address.split(":")
        opened = [await asyncio.open_connection(host, port) for _ in range(6)]
        ends = [asyncio.create_task(reader.read()) for reader, _ in opened]
        done, _ = await asyncio.wait(ends, timeout=0.3)
        assert len(done) == 4
        await asyncio.wait_for(asyncio.wait(ends), 10)
        for _, writer in opened:
            writer.close()
        async with grpc.aio.insecure_channel(bridge.grpc_address) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=10
            )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
