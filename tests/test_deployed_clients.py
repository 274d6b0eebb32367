"""Clients of the predecessor's gRPC server, with the stubs they were compiled with, against the real Triton."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import grpc.aio
import numpy as np
import pytest
import pytest_asyncio
import tritonclient.grpc

import bridge.server
from bridge.config import BridgeConfig
from bridge.server import Bridge
from demo.recording import read_recording
from embedded import Server
from lipsync_client import LipsyncClient
from tests.conftest import CLIP_FRAMES, Workspace
from tests.stubs import compile_stubs
from tests.test_live_speech import ask, windows_of

SPEECH = read_recording("heldout").sound[16_000:17_280]
"""80 ms of speech: two pictures."""

SPEECH_CHUNKS = [SPEECH[start : start + 640].astype("<i2").tobytes() for start in (0, 640)]


def expected_speech(triton: Server) -> list[bytes]:
    """Return the pictures of that speech on frames 3 and 4, by plain requests to Triton."""
    client = tritonclient.grpc.InferenceServerClient(triton.grpc_url)
    windows = windows_of(client, SPEECH.astype(np.float32) / 32768)
    return [
        ask(
            client,
            "demo_live",
            frame_id=np.array([[3 + number]], np.int32),
            audio=window.reshape(1, 32, 16, 16),
        )["jpeg"][0, 0]
        for number, window in enumerate(windows)
    ]


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """What deployed clients have generated."""
    return compile_stubs(tmp_path_factory.mktemp("stubs"))


@pytest_asyncio.fixture
async def running(triton: Server, workspace: Workspace) -> AsyncIterator[Bridge]:
    """A bridge with its gRPC service in front of the shared Triton."""
    config = BridgeConfig(upstreams=(triton.grpc_url,), port=0, grpc_port=0)
    async with bridge.server.serve(config) as running:
        yield running


async def test_every_call_of_the_deployed_schema(
    running: Bridge, triton: Server, workspace: Workspace, stubs: dict[str, Any]
) -> None:
    """Each call answers with success, and frames are, byte for byte, those of Triton itself."""
    pb = stubs["optimized_lipsyncsrv_pb2"]
    with LipsyncClient(f"grpc://{triton.grpc_url}") as client:
        expected = {frame_id: client.render("demo", frame_id) for frame_id in (3, 4)}
    bounds = np.load(workspace.avatars / "demo" / "bounds.npy")
    async with grpc.aio.insecure_channel(running.grpc_address) as channel:
        stub = stubs["optimized_lipsyncsrv_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
        frame = await stub.GenerateInference(pb.OptimizedInferenceRequest(model_name="demo", frame_id=3))
        batch = await stub.GenerateBatchInference(
            pb.BatchInferenceRequest(model_name="demo", frame_ids=[3, 4])
        )
        requests = [pb.OptimizedInferenceRequest(model_name="demo", frame_id=i) for i in (4, 3)]
        stream = [response async for response in stub.StreamInference(iter(requests))]
        spoken = await stub.GenerateBatchWithAudio(
            pb.BatchInferenceWithAudioRequest(
                model_name="demo", start_frame_id=3, frame_count=2, audio_chunks=SPEECH_CHUNKS
            )
        )
        stats = await stub.GetStats(pb.StatsRequest(model_name="demo"))
        models = await stub.ListModels(pb.ListModelsRequest())
        health = await stub.HealthCheck(pb.HealthRequest())
        video = await stub.GetVideoFrame(
            pb.GetVideoFrameRequest(model_name="demo", frame_id=3, video_type="full_body_video")
        )
        metadata = await stub.GetModelMetadata(pb.GetModelMetadataRequest(model_name="demo"))
    assert all(
        answer.success for answer in (frame, video, metadata, *batch.responses, *stream, *spoken.responses)
    )
    assert [response.prediction_data for response in spoken.responses] == expected_speech(triton)
    assert [list(response.bounds) for response in spoken.responses] == bounds[3:5].tolist()
    assert [response.prediction_shape for response in spoken.responses] == ["320x320x3"] * 2
    assert frame.prediction_data == expected[3]
    assert list(frame.bounds) == bounds[3].tolist()
    assert [response.prediction_data for response in batch.responses] == [expected[3], expected[4]]
    assert [response.prediction_data for response in stream] == [expected[4], expected[3]]
    assert (stats.total_requests, stats.frame_count, stats.device) == (5, CLIP_FRAMES, "cpu")
    assert "onnxruntime" in stats.optimizations_active
    assert {"demo", "second"} <= set(models.loaded_models)
    assert (health.healthy, health.loaded_models) == (True, models.count)
    assert video.frame_data[:2] == b"\xff\xd8"
    assert metadata.frame_count == CLIP_FRAMES


async def test_the_short_schema(running: Bridge, triton: Server, stubs: dict[str, Any]) -> None:
    """The client that the short schema's documentation shows writes the same picture."""
    pb = stubs["optimized_lipsyncsrv_short_pb2"]
    async with grpc.aio.insecure_channel(running.grpc_address) as channel:
        stub = stubs["optimized_lipsyncsrv_short_pb2_grpc"].OptimizedLipSyncServiceStub(channel)
        frame = await stub.GenerateInference(pb.OptimizedInferenceRequest(model_name="demo", frame_id=3))
        health = await stub.HealthCheck(pb.HealthRequest())
    with LipsyncClient(f"grpc://{triton.grpc_url}") as client:
        assert frame.prediction_data == client.render("demo", 3)
    assert (frame.success, frame.frame_id, health.healthy) == (True, 3, True)
