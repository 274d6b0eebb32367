"""bridge/triton.py"""

import asyncio

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from bridge.errors import (
    BadRequest,
    ImportFailed,
    InferTimeout,
    InternalError,
    InvalidFrameId,
    Overloaded,
    Refused,
    UnknownModel,
    UpstreamLost,
)
from bridge.triton import (
    TritonClient,
    batch_request,
    bytes_output,
    encode_request,
    frame_request,
    int32_output,
    raw_output,
)
from tests.fake_triton import BOUNDS, FakeTriton, fake_face, fake_jpeg, fake_sound

TIMEOUT_S = 5.0


@pytest.fixture
async def client(triton):
    client = TritonClient(triton.address)
    yield client
    await client.close()


async def test_infer_asks_for_the_named_outputs_only(triton, client):
    """A frame is asked for with one output, and comes back without the length before it."""
    response = await client.infer(frame_request("echo", 7, ("jpeg",)), TIMEOUT_S)
    assert bytes_output(response, "jpeg") == fake_jpeg("echo", 7)
    assert triton.requested_outputs == [["jpeg"]]


async def test_several_outputs(client):
    """Outputs are found by name, in whichever order they come."""
    response = await client.infer(frame_request("echo", 7, ("bounds", "jpeg")), TIMEOUT_S)
    assert int32_output(response, "bounds") == list(BOUNDS)
    assert bytes_output(response, "jpeg") == fake_jpeg("echo", 7)


async def test_encode_request(client):
    """A face goes to ``jpeg_encode`` as raw bytes."""
    response = await client.infer(encode_request(fake_face(9).tobytes()), TIMEOUT_S)
    assert bytes_output(response, "jpeg") == fake_jpeg("jpeg_encode", 9)


async def test_a_batch(client):
    """Several frames in one request come back one after another."""
    response = await client.infer(batch_request("echo_frames", (7, 3), ("sound",)), 5)
    assert raw_output(response, "sound") == np.stack([fake_sound(7), fake_sound(3)]).astype("<i2").tobytes()


async def test_a_template_is_not_changed_by_its_requests():
    """Each request carries its own id only, though requests share their prepared part."""
    first, second = (frame_request("echo", frame_id, ("jpeg",)) for frame_id in (1, 2))
    assert (list(first.raw_input_contents), list(second.raw_input_contents)) == (
        [b"\x01\0\0\0"],
        [b"\x02\0\0\0"],
    )


@pytest.mark.parametrize(
    ("model_name", "frame_id", "error", "sentence"),
    [
        (
            "echo",
            150,
            InvalidFrameId,
            "in ensemble 'echo', frame_id 150 is outside [0, 149] of model 'echo_frames'",
        ),
        ("nobody", 1, UnknownModel, "expected the name of a loaded model, got 'nobody'"),
        (
            "echo_frames",
            1,
            BadRequest,
            "model 'echo_frames': expected an avatar, got Triton's refusal: "
            "unexpected inference output 'jpeg' for model 'echo_frames'",
        ),
    ],
)
async def test_refusals(client, model_name, frame_id, error, sentence):
    """What Triton refuses becomes a typed error with a sentence, caused by gRPC's own."""
    with pytest.raises(error) as caught:
        await client.infer(frame_request(model_name, frame_id, ("jpeg",)), TIMEOUT_S)
    assert str(caught.value) == sentence
    assert isinstance(caught.value.__cause__, grpc.aio.AioRpcError)


async def test_internal_errors(triton, client):
    """Any other failure is internal, with Triton's words in the detail and not in the sentence."""
    with pytest.raises(InternalError) as caught:
        await client.infer(frame_request("broken", 1, ("jpeg",)), TIMEOUT_S)
    assert caught.value.detail == (
        f"INTERNAL from Triton at {triton.address} for 'broken': the secret of model 'broken'"
    )
    assert "secret" not in str(caught.value)


async def test_unloaded_model(triton, client):
    """A model that was unloaded is unknown."""
    triton.unload_model("echo")
    with pytest.raises(UnknownModel):
        await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)


async def test_unloading(triton, client):
    """A model that is unloaded is unknown until it is loaded; who has no secret is refused."""
    await client.unload_model("echo", TIMEOUT_S)
    with pytest.raises(UnknownModel):
        await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)
    await client.load_model("echo", TIMEOUT_S)
    await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)
    triton.secret = "letmein"
    with pytest.raises(Refused):
        await client.unload_model("echo", TIMEOUT_S)


async def test_unavailable_model_is_not_a_lost_upstream():
    """UNAVAILABLE about a model speaks of the model, not of the connection."""

    class OlderTriton(FakeTriton):
        async def ModelInfer(self, request, context):
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Request for unknown model: 'x' is not ready")

    async with OlderTriton() as triton:
        client = TritonClient(triton.address)
        with pytest.raises(UnknownModel):
            await client.infer(frame_request("x", 1, ("jpeg",)), TIMEOUT_S)
        await client.close()


@pytest.mark.parametrize("model_name", ["full", "overdue"])
async def test_a_full_queue_is_not_a_lost_upstream(triton, client, model_name):
    """A request that Triton's queue has no room or no patience for finds Triton overloaded."""
    triton.add_model(model_name)
    with pytest.raises(Overloaded) as caught:
        await client.infer(frame_request(model_name, 1, ("jpeg",)), TIMEOUT_S)
    assert caught.value.model_name == model_name


async def test_restricted_calls(triton, client):
    """What Triton keeps for those who know its secret is refused without it, or with another, and given with it."""
    triton.secret = "letmein"
    wrong, right = TritonClient(triton.address, "sesame"), TritonClient(triton.address, "letmein")
    for refused in (client, wrong):
        for call in (
            refused.get_model_repository_index(TIMEOUT_S),
            refused.get_model_config("echo", TIMEOUT_S),
            refused.load_model("anna", TIMEOUT_S),
        ):
            with pytest.raises(Refused) as caught:
                await call
            assert caught.value.detail == (
                f"Triton at {triton.address} refused the bridge's secret, or that it has none: This protocol is "
                "restricted, expecting header 'triton-grpc-protocol-lipsync-secret'"
            )
        assert await refused.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)
    assert "echo" in await right.get_model_repository_index(TIMEOUT_S)
    assert (await right.get_model_config("echo", TIMEOUT_S)).name == "echo"
    await right.load_model("anna", TIMEOUT_S)
    await wrong.close()
    await right.close()


async def test_deadline(client):
    """An answer that does not come in time is a timeout that names model and deadline."""
    with pytest.raises(InferTimeout) as caught:
        await client.infer(frame_request("slow", 1, ("jpeg",)), 0.05)
    assert str(caught.value) == "expected an answer of model 'slow' within 0.05 s, got none"


async def test_lost_in_flight(triton, client):
    """A call whose server dies is lost, and so is the next one, at once."""
    call = asyncio.create_task(client.infer(frame_request("slow", 1, ("jpeg",)), TIMEOUT_S))
    await triton.wait_for_calls("slow", 1)
    await triton.kill()
    with pytest.raises(UpstreamLost):
        await call
    with pytest.raises(UpstreamLost, match=f"^expected an answer of Triton at {triton.address}, got: "):
        await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)


async def test_a_server_that_cancels():
    """A call that the server cancels, as one that is stopping does, is lost."""

    class Stopping(FakeTriton):
        async def ModelInfer(self, request, context):
            await context.abort(grpc.StatusCode.CANCELLED, "the server is stopping")

    async with Stopping() as triton:
        client = TritonClient(triton.address)
        with pytest.raises(UpstreamLost, match=r"got: the server is stopping$"):
            await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)
        await client.close()


async def test_a_server_that_closes_its_connection():
    """A server that closes each connection as it comes is not ready, and a call to it is lost."""
    closing = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    client = TritonClient(f"127.0.0.1:{closing.sockets[0].getsockname()[1]}")
    async with closing:
        assert not await client.is_server_ready(TIMEOUT_S)
        with pytest.raises(UpstreamLost):
            await client.infer(frame_request("echo", 1, ("jpeg",)), TIMEOUT_S)
        await client.close()


async def test_cancelling_reaches_triton(triton, client):
    """A cancelled call is cancelled in Triton, too."""
    call = asyncio.create_task(client.infer(frame_request("slow", 1, ("jpeg",)), TIMEOUT_S))
    await triton.wait_for_calls("slow", 1)
    call.cancel()
    await triton.wait_for_cancelled("slow", 1)
    assert (await asyncio.gather(call, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_readiness(triton, client):
    """Readiness is Triton's answer, and false when there is none."""
    assert await client.is_server_ready(TIMEOUT_S)
    triton.set_ready(False)
    assert not await client.is_server_ready(TIMEOUT_S)
    await triton.kill()
    assert not await client.is_server_ready(TIMEOUT_S)


async def test_index_and_config(triton, client):
    """The index holds ready models only, and a model's configuration has its parameters."""
    triton.unload_model("slow")
    index = await client.get_model_repository_index(TIMEOUT_S)
    assert index == ["echo", "echo_frames", "broken", "broken_frames", "jpeg_encode"]
    config = await client.get_model_config("echo_frames", TIMEOUT_S)
    assert {key: value.string_value for key, value in config.parameters.items()}["frame_count"] == "150"
    with pytest.raises(UnknownModel):
        await client.get_model_config("slow_frames", TIMEOUT_S)


async def test_version(triton, client):
    """A model's version is the last of those that are served, as numbers go."""
    triton.versions["echo"] = ["9", "10", "8"]
    assert await client.get_model_version("echo", TIMEOUT_S) == "10"
    with pytest.raises(UnknownModel):
        await client.get_model_version("nobody", TIMEOUT_S)


async def test_load_model(triton, client):
    """A model is loaded on demand."""
    await client.load_model("anna", TIMEOUT_S)
    assert "anna" in await client.get_model_repository_index(TIMEOUT_S)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "failed to load 'anna', no version is available"),
        (
            grpc.StatusCode.UNAVAILABLE,
            "explicit model load / unload is not allowed if polling is enabled",
        ),
    ],
)
async def test_a_model_that_cannot_be_loaded(triton, client, status, text):
    """A refused load is Triton's sentence, and no lost upstream, whatever Triton's status for it is."""
    triton.unloadable["anna"] = (status, text)
    with pytest.raises(ImportFailed) as caught:
        await client.load_model("anna", TIMEOUT_S)
    assert str(caught.value) == f"expected to import 'anna', got: Triton at {triton.address}: {text}"
    await triton.kill()
    with pytest.raises(UpstreamLost):
        await client.load_model("anna", TIMEOUT_S)


def response_with(name, content):
    response = service_pb2.ModelInferResponse(model_name="demo")
    response.outputs.add(name=name)
    response.raw_output_contents.append(content)
    return response


@pytest.mark.parametrize("content", [b"", b"\x01\0\0", b"\x02\0\0\0a", b"\x01\0\0\0a\x01\0\0\0b"])
def test_malformed_bytes_tensor(content):
    """A BYTES tensor of anything but one element is an internal error."""
    with pytest.raises(InternalError) as caught:
        bytes_output(response_with("jpeg", content), "jpeg")
    assert caught.value.detail == f"model 'demo': expected one element in 'jpeg', got {len(content)} bytes"


def test_malformed_int32_tensor():
    """An INT32 tensor with half a value is an internal error."""
    with pytest.raises(InternalError):
        int32_output(response_with("bounds", b"\0" * 5), "bounds")


def test_missing_output():
    """An output that did not come back is an internal error that names those that did."""
    with pytest.raises(InternalError) as caught:
        raw_output(response_with("jpeg", b""), "bounds")
    assert caught.value.detail == "model 'demo': expected output 'bounds', got ['jpeg']"
