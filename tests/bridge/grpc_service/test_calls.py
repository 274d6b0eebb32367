"""bridge/grpc_service/calls.py, through the stubs of a client"""

import asyncio

import grpc
import grpc.aio
import pytest

from bridge.limit import FIRST
from tests.bridge.helpers import until
from tests.fake_triton import BOUNDS, fake_jpeg, fake_picture


async def status_of(call):
    """Return status and text of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details()


async def test_generate_inference(pb, deployed):
    """A frame comes with its bounds, shape and times."""
    response = await deployed.GenerateInference(pb.OptimizedInferenceRequest(model_name="echo", frame_id=7))
    assert response.success
    assert response.prediction_data == fake_jpeg("echo", 7)
    assert (response.model_name, response.frame_id, response.prediction_shape) == ("echo", 7, "256x256x3")
    assert list(response.bounds) == list(BOUNDS)
    assert response.inference_time_ms > 0
    assert not response.HasField("error")


@pytest.mark.parametrize(
    ("model_name", "frame_id", "sentence"),
    [
        ("echo", 150, "in ensemble 'echo', frame_id 150 is outside [0, 149] of model 'echo_frames'"),
        ("echo", -1, "frame_id -1 is outside [0, 2147483647]"),
        ("nobody", 1, "expected the name of a loaded model, got 'nobody'"),
        ("", 1, "model_name: expected a string of 1 to 255 bytes without control characters, got ''"),
        (
            "broken",
            1,
            "expected an answer of Triton, got an internal error; the bridge's log has the details",
        ),
    ],
)
async def test_failures_are_answers(pb, deployed, model_name, frame_id, sentence):
    """A failure is an answer without success, with the reason in ``error``."""
    request = pb.OptimizedInferenceRequest(model_name=model_name, frame_id=frame_id)
    response = await deployed.GenerateInference(request)
    assert (response.success, response.error) == (False, sentence)
    assert (response.model_name, response.frame_id) == (model_name, frame_id)


async def test_generate_batch_inference(pb, deployed):
    """A batch is answered in the order of its ids; a bad id fails alone."""
    request = pb.BatchInferenceRequest(model_name="echo", frame_ids=[3, 150, 1])
    response = await deployed.GenerateBatchInference(request)
    assert [(frame.success, frame.frame_id) for frame in response.responses] == [
        (True, 3),
        (False, 150),
        (True, 1),
    ]
    assert response.responses[2].prediction_data == fake_jpeg("echo", 1)
    assert "outside [0, 149]" in response.responses[1].error
    assert response.avg_frame_time_ms > 0


async def test_batches_have_a_limit(pb, deployed):
    """More frames than a batch may have are refused, and none is no error."""
    request = pb.BatchInferenceRequest(model_name="echo", frame_ids=[1] * 1025)
    assert await status_of(deployed.GenerateBatchInference(request)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "frame_ids: expected at most 1024, got 1025",
    )
    response = await deployed.GenerateBatchInference(pb.BatchInferenceRequest(model_name="echo"))
    assert (len(response.responses), response.avg_frame_time_ms) == (0, 0)


async def test_batches_rather_wait(triton, bridge, pb, deployed, stubs):
    """The frames of two batches that compete for Triton wait for their turns, however long that takes."""
    batch = pb.BatchInferenceRequest(model_name="slow", frame_ids=range(12))
    async with grpc.aio.insecure_channel(bridge.grpc_address) as channel:
        other = stubs["optimized_lipsyncsrv_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
        calls = [stub.GenerateBatchInference(batch) for stub in (deployed, other)]
        await until(lambda: bridge.balancer.waiting_count == 24 - FIRST)
        await asyncio.sleep(0.5)  # longer than a frame for a screen would wait
        assert bridge.balancer.waiting_count == 24 - FIRST
        triton.release.set()
        for response in await asyncio.gather(*calls):
            assert [frame.success for frame in response.responses] == [True] * 12


async def test_stream_inference(triton, pb, deployed):
    """A stream's frames come in the order of its requests, errors in their place, requests numbered."""

    async def requests():
        for frame_id in (5, 150, 6):
            yield pb.OptimizedInferenceRequest(model_name="echo", frame_id=frame_id)

    call = deployed.StreamInference(requests(), metadata=(("x-request-id", "mine"),))
    responses = [response async for response in call]
    assert [response.frame_id for response in responses] == [5, 150, 6]
    assert [response.success for response in responses] == [True, False, True]
    assert responses[2].prediction_data == fake_jpeg("echo", 6)
    assert triton.request_ids == ["mine-1", "mine-2", "mine-3"]


async def test_stats(pb, deployed):
    """Stats are what the bridge counted of a model since its start."""
    empty = await deployed.GetStats(pb.StatsRequest(model_name="echo"))
    assert (empty.total_requests, empty.min_inference_time_ms, empty.max_inference_time_ms) == (0, 0, 0)
    for frame_id in (1, 2, 150):
        await deployed.GenerateInference(pb.OptimizedInferenceRequest(model_name="echo", frame_id=frame_id))
    stats = await deployed.GetStats(pb.StatsRequest(model_name="echo"))
    assert (stats.model_name, stats.total_requests, stats.frame_count) == ("echo", 2, 150)
    assert 0 < stats.min_inference_time_ms <= stats.avg_inference_time_ms <= stats.max_inference_time_ms
    assert (stats.device, list(stats.optimizations_active)) == (
        "cpu",
        ["onnxruntime", "dynamic_batching", "2_instances"],
    )


async def test_stats_of_nobody(pb, deployed):
    """Without a field for errors an unknown model is the status NOT_FOUND."""
    assert await status_of(deployed.GetStats(pb.StatsRequest(model_name="nobody"))) == (
        grpc.StatusCode.NOT_FOUND,
        "expected the name of a loaded model, got 'nobody'",
    )


async def test_overloaded(triton, pb, deployed):
    """Without a field for errors a full queue is the status RESOURCE_EXHAUSTED."""
    triton.add_model("full")
    assert await status_of(deployed.GetStats(pb.StatsRequest(model_name="full"))) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "expected room in Triton's queue for model 'full_frames', got none; try again later",
    )


async def test_refused(triton, pb, deployed):
    """A Triton that wants another secret is a failed precondition, and not healthy."""
    triton.secret = "letmein"
    code, sentence = await status_of(deployed.ListModels(pb.ListModelsRequest()))
    response = await deployed.HealthCheck(pb.HealthRequest())
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert (response.healthy, response.status, response.loaded_models) == (False, sentence, 0)


async def test_list_models(pb, deployed):
    """The loaded avatars are listed."""
    response = await deployed.ListModels(pb.ListModelsRequest())
    assert (list(response.loaded_models), response.count) == (["broken", "echo", "slow"], 3)


async def test_health(triton, pb, deployed, short, stubs):
    """Health is whether a Triton answers, by both schemas."""
    response = await deployed.HealthCheck(pb.HealthRequest())
    assert (response.healthy, response.status, response.loaded_models) == (True, "healthy", 3)
    assert response.uptime_seconds >= 0
    await triton.kill()
    response = await short.HealthCheck(stubs["optimized_lipsyncsrv_short_pb2"].HealthRequest())
    assert (response.healthy, response.loaded_models) == (False, 0)
    assert response.status == "expected a Triton to answer, got none (0 of 1 ready)"


@pytest.mark.parametrize(
    ("video_type", "picture"),
    [("full_body_video", fake_picture("echo", 7)), ("rois_320", fake_jpeg("jpeg_encode", 7))],
)
async def test_video_frames(pb, deployed, video_type, picture):
    """A source picture comes with its type in the client's spelling."""
    request = pb.GetVideoFrameRequest(model_name="echo", frame_id=7, video_type=video_type)
    response = await deployed.GetVideoFrame(request)
    assert (response.success, response.frame_data) == (True, picture)
    assert (response.frame_id, response.video_type) == (7, video_type)


async def test_video_frames_of_another_kind(pb, deployed):
    """A type that does not exist is an answer without success."""
    request = pb.GetVideoFrameRequest(model_name="echo", frame_id=7, video_type="x")
    response = await deployed.GetVideoFrame(request)
    assert (response.success, response.error) == (
        False,
        "video_type: expected one of full_body, rois_320, got 'x'",
    )


async def test_metadata(pb, deployed):
    """Metadata is what a player needs to know; of nobody it is an answer without success."""
    response = await deployed.GetModelMetadata(pb.GetModelMetadataRequest(model_name="echo"))
    assert (response.success, response.frame_count, response.audio_path) == (True, 150, "")
    assert list(response.available_videos) == ["full_body", "rois_320"]
    assert list(response.bounds) == list(BOUNDS)
    response = await deployed.GetModelMetadata(pb.GetModelMetadataRequest(model_name="nobody"))
    assert (response.success, response.model_name) == (False, "nobody")
    assert response.error == "expected the name of a loaded model, got 'nobody'"


async def test_load_package_is_off(pb, deployed):
    """Unless the operator allowed a folder, nothing can be imported."""
    response = await deployed.LoadPackage(pb.LoadPackageRequest(package_name="anna", package_dir="/etc"))
    assert (response.success, response.package_name) == (False, "anna")
    assert response.error == "LoadPackage: expected an operator who has set BRIDGE_PACKAGES_DIR, got none"


async def test_the_short_schema(short, stubs):
    """The short schema's frame has the picture; its failures are statuses, as it has no field for them."""
    pb = stubs["optimized_lipsyncsrv_short_pb2"]
    response = await short.GenerateInference(pb.OptimizedInferenceRequest(model_name="echo", frame_id=7))
    assert (response.success, response.frame_id) == (True, 7)
    assert response.prediction_data == fake_jpeg("echo", 7)
    for model_name, frame_id, code in (
        ("echo", 150, grpc.StatusCode.INVALID_ARGUMENT),
        ("nobody", 1, grpc.StatusCode.NOT_FOUND),
        ("broken", 1, grpc.StatusCode.INTERNAL),
    ):
        request = pb.OptimizedInferenceRequest(model_name=model_name, frame_id=frame_id)
        assert (await status_of(short.GenerateInference(request)))[0] is code
