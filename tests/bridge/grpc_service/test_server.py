"""bridge/grpc_service/server.py"""

import asyncio
import logging

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from bridge.errors import ListenError
from bridge.server import serve
from tests.bridge.helpers import WAIT_S, config_for, http
from tests.fake_triton import fake_jpeg

SERVICES = ("optimized_lipsyncsrv.OptimizedLipSyncService", "OptimizedLipSyncService")


async def test_health_checking(triton, channel):
    """The standard health service says of the server and of both services whether a Triton is ready."""
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", *SERVICES):
        response = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert response.status == health_pb2.HealthCheckResponse.SERVING
    watching = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]))
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    triton.set_ready(False)
    change = await asyncio.wait_for(watching.read(), WAIT_S)
    assert change.status == health_pb2.HealthCheckResponse.NOT_SERVING
    watching.cancel()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection(bridge):
    """A client without any .proto file finds both services and the standard ones, and their messages."""

    def ask():
        with grpc.insecure_channel(bridge.grpc_address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            files = [database.FindFileContainingSymbol(name) for name in SERVICES]
            return set(database.get_services()), [len(file.service[0].method) for file in files]

    services, methods = await asyncio.to_thread(ask)
    assert set(SERVICES) < services
    assert "grpc.health.v1.Health" in services
    assert methods == [10, 2]


@pytest.mark.parametrize(
    ("offered", "taken"),
    [((("x-request-id", "mine"),), "mine"), ((), None), ((("x-request-id", "a b"),), None)],
)
async def test_request_ids(triton, pb, deployed, offered, taken):
    """A call's id is that of its metadata or a new one, reaches Triton, and is in the answer's metadata."""
    call = deployed.GenerateInference(
        pb.OptimizedInferenceRequest(model_name="echo", frame_id=1), metadata=offered
    )
    answered = dict(await call.initial_metadata())["x-request-id"]
    await call
    assert triton.request_ids == [answered]
    assert answered == taken or taken is None


async def test_calls_are_counted(bridge, pb, deployed):
    """Answers are counted by method and outcome, also where a failure is an answer."""
    for frame_id in (1, 2, 150):
        await deployed.GenerateInference(pb.OptimizedInferenceRequest(model_name="echo", frame_id=frame_id))
    metrics = (await http(bridge.port, "/metrics"))[2].decode()
    assert 'lipsync_bridge_rpcs_total{code="ok",method="GenerateInference"} 2.0\n' in metrics
    assert 'lipsync_bridge_rpcs_total{code="invalid_frame_id",method="GenerateInference"} 1.0\n' in metrics
    assert 'lipsync_bridge_frames_total{code="ok",model="echo"} 2.0\n' in metrics


async def test_port_in_use(triton, bridge):
    """A port that is in use is one sentence, and the bridge does not listen on its other port either."""
    port = int(bridge.grpc_address.rpartition(":")[2])
    with pytest.raises(ListenError) as caught:
        async with serve(config_for(triton, grpc_port=port)):
            pass
    assert str(caught.value) == f"expected to listen on port {port} of 127.0.0.1, got: address already in use"


async def test_it_can_be_off(triton):
    """With port -1 there is no gRPC service."""
    async with serve(config_for(triton, grpc_port=-1)) as bridge:
        assert bridge.grpc_address is None


async def test_ipv6(triton, stubs, pb):
    """An IPv6 address is listened on as well."""
    async with (
        serve(config_for(triton, host="::1", grpc_port=0)) as bridge,
        grpc.aio.insecure_channel(bridge.grpc_address) as channel,
    ):
        stub = stubs["optimized_lipsyncsrv_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
        response = await stub.GenerateInference(pb.OptimizedInferenceRequest(model_name="echo", frame_id=1))
    assert response.success


async def test_a_cancelled_call_is_cancelled_in_triton(triton, pb, deployed):
    """A client that hangs up has its frames cancelled in Triton, those of a stream too."""

    async def requests():
        for frame_id in range(3):
            yield pb.OptimizedInferenceRequest(model_name="slow", frame_id=frame_id)
        await asyncio.Event().wait()

    frame = deployed.GenerateInference(pb.OptimizedInferenceRequest(model_name="slow", frame_id=1))
    stream = deployed.StreamInference(requests())
    reading = asyncio.create_task(stream.read())
    waiting = asyncio.ensure_future(frame)
    await triton.wait_for_calls("slow", 4)
    frame.cancel()
    stream.cancel()
    await triton.wait_for_cancelled("slow", 4)
    await asyncio.gather(reading, waiting, return_exceptions=True)


async def test_shutdown_answers_what_is_in_flight(triton, stubs, pb):
    """On shutdown calls in flight are answered; an idle stream and who watches health are not waited for."""
    context = serve(config_for(triton, grpc_port=0, shutdown_timeout_s=60))
    bridge = await context.__aenter__()
    async with grpc.aio.insecure_channel(bridge.grpc_address) as channel:
        stub = stubs["optimized_lipsyncsrv_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
        watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watching.read()
        stream = stub.StreamInference()
        await stream.write(pb.OptimizedInferenceRequest(model_name="echo", frame_id=1))
        await stream.read()
        await stream.write(pb.OptimizedInferenceRequest(model_name="slow", frame_id=2))
        call = stub.GenerateInference(pb.OptimizedInferenceRequest(model_name="slow", frame_id=3))
        answer = asyncio.ensure_future(call)
        await triton.wait_for_calls("slow", 2)
        stopping = asyncio.create_task(context.__aexit__(None, None, None))
        assert (await asyncio.wait_for(watching.read(), WAIT_S)).status == 2  # NOT_SERVING
        triton.release.set()
        assert (await asyncio.wait_for(answer, WAIT_S)).prediction_data == fake_jpeg("slow", 3)
        assert (await asyncio.wait_for(stream.read(), WAIT_S)).prediction_data == fake_jpeg("slow", 2)
        await asyncio.wait_for(stopping, WAIT_S)


async def test_a_bug_is_an_internal_error(bridge, pb, deployed, monkeypatch, caplog):
    """An exception nobody foresaw is an answer without its words, and its traceback is in the log."""

    async def fail(model_name, frame_id):
        raise RuntimeError("a bug's secret")

    monkeypatch.setattr(bridge._service, "render_with_bounds", fail)
    with caplog.at_level(logging.ERROR, "bridge"):
        response = await deployed.GenerateInference(
            pb.OptimizedInferenceRequest(model_name="echo", frame_id=1)
        )
    assert not response.success
    assert "secret" not in response.error
    assert "a bug: GenerateInference ended with a foreign exception" in caplog.text
    assert "RuntimeError: a bug's secret" in caplog.text


async def test_what_is_no_message(bridge, channel):
    """A request that is no message of its method is INVALID_ARGUMENT, in a stream too."""
    path = f"/{SERVICES[0]}"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"{path}/GenerateInference")(b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (
        caught.value.details()
        == "request: expected the message OptimizedInferenceRequest, got something else"
    )

    async def requests():
        yield b"\xff"

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.stream_stream(f"{path}/StreamInference")(requests()).read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_batches_share_their_room(triton, pb, deployed, bridge):
    """Of many batches of one client a few are there at once, and two are worked on; all are answered."""
    request = pb.BatchInferenceRequest(model_name="slow", frame_ids=range(40))
    calls = [asyncio.ensure_future(deployed.GenerateBatchInference(request)) for _ in range(6)]
    await triton.wait_for_calls("slow", 1)
    while bridge._grpc._batches.count < 4:  # noqa: ASYNC110 (nobody tells)
        await asyncio.sleep(0.001)
    assert bridge._grpc._services[0]._batches.locked()
    triton.release.set()
    for call in calls:
        assert len((await call).responses) == 40
    assert bridge._grpc._batches.count == 0
