"""The whole path on real parts: Triton, the bridge, the clients, Chromium and perf_analyzer."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sysconfig
import urllib.request
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import pytest_asyncio
import tritonclient.grpc
from websockets.asyncio.client import connect

import bridge.server
from backends.jpeg_encode.encoder import encode_jpeg
from bridge.config import BridgeConfig
from bridge.errors import Refused
from bridge.server import Bridge
from bridge.triton import TritonClient
from embedded import EmbeddedConfig, Server
from lipsync_client import LipsyncClient
from tests.browser import launch_browser, open_page, play_and_count
from tests.conftest import CLIP_FRAMES, Clip, Workspace, running_triton

FRAME_IDS = (0, 1, 30, CLIP_FRAMES - 1)
PERF_ANALYZER = Path("build/perf_analyzer/perf_analyzer")
DEADLINE_S = 60.0


@pytest.fixture(scope="session")
def expected_jpegs(workspace: Workspace) -> dict[int, bytes]:
    """What the served ONNX file gives outside Triton, through the same JPEG encoder."""
    avatar = workspace.avatars / "demo"
    faces, features = np.load(avatar / "faces.npy"), np.load(avatar / "audio_features.npy")
    padded = np.pad(features, ((8, 8), (0, 0)))
    model = workspace.model_repository / "demo_unet" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    jpegs = {}
    for frame_id in FRAME_IDS:
        window = padded[frame_id : frame_id + 16].reshape(1, 32, 16, 16)
        (image,) = session.run(["image"], {"face": faces[frame_id : frame_id + 1], "audio": window})
        jpegs[frame_id] = encode_jpeg(image[0], 256, 95)
    return jpegs


@pytest_asyncio.fixture
async def running_bridge(triton: Server) -> AsyncIterator[Bridge]:
    """A bridge in front of the shared Triton."""
    async with bridge.server.serve(
        BridgeConfig(upstreams=(triton.grpc_url,), port=0, grpc_port=-1)
    ) as running:
        yield running


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_clients_get_the_same_bytes_as_outside_triton(
    triton: Server, expected_jpegs: dict[int, bytes], scheme: str
) -> None:
    """Frames through gRPC and HTTP equal, byte for byte, ONNX Runtime and the JPEG encoder outside Triton."""
    url = triton.grpc_url if scheme == "grpc" else triton.http_url
    with LipsyncClient(f"{scheme}://{url}") as client:
        assert {frame_id: client.render("demo", frame_id) for frame_id in FRAME_IDS} == expected_jpegs


async def test_a_frame_is_four_bytes_of_id_in_and_one_jpeg_out(
    running_bridge: Bridge, expected_jpegs: dict[int, bytes]
) -> None:
    """Pipelined WebSocket requests of a name and 4 bytes are answered, in order, by nothing but the JPEG."""
    async with connect(websocket_url(running_bridge)) as websocket:
        for frame_id in FRAME_IDS:
            await websocket.send(b"\x04demo" + frame_id.to_bytes(4, "little"))
        answers = [await asyncio.wait_for(websocket.recv(), DEADLINE_S) for _ in FRAME_IDS]
    assert answers == list(expected_jpegs.values())


async def test_bad_requests_get_their_error_and_the_connection_goes_on(
    running_bridge: Bridge, expected_jpegs: dict[int, bytes]
) -> None:
    """Each kind of bad message gets its documented code in its place, and the frame after it still comes."""
    requests: list[tuple[bytes | str, str]] = [
        (b"\x04demo" + (CLIP_FRAMES).to_bytes(4, "little"), "invalid_frame_id"),
        (b"\x04demo\xff\xff\xff\xff", "invalid_frame_id"),
        (b"\x04nope\x00\x00\x00\x00", "unknown_model"),
        (b"\x04demo\x00", "bad_request"),
        (b"\x02\xff\xfe\x00\x00\x00\x00", "bad_request"),
        ("no JSON", "bad_request"),
        ('{"type": "dance"}', "bad_request"),
        ("x" * 5000, "message_too_large"),
    ]
    async with connect(websocket_url(running_bridge)) as websocket:
        for message, _ in requests:
            await websocket.send(message)
        await websocket.send(b"\x04demo" + bytes(4))
        errors = [json.loads(await asyncio.wait_for(websocket.recv(), DEADLINE_S)) for _ in requests]
        frame = await asyncio.wait_for(websocket.recv(), DEADLINE_S)
    assert [error["code"] for error in errors] == [code for _, code in requests]
    assert errors[0]["error"] == (
        f"in ensemble 'demo', frame_id {CLIP_FRAMES} is outside [0, {CLIP_FRAMES - 1}] of model 'demo_frames'"
    )
    assert frame == expected_jpegs[0]


async def test_the_sound_is_the_clips(running_bridge: Bridge, clip: Clip) -> None:
    """The WAV file of an avatar holds the very samples of the ``aud.wav`` that it was imported with."""
    url = f"{running_bridge.url}audio/demo.wav"
    answer = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read())
    with wave.open(io.BytesIO(answer)) as served, wave.open(str(clip.folder / "aud.wav")) as source:
        assert served.getparams()[:4] == (1, 2, 16_000, CLIP_FRAMES * 640)
        assert served.readframes(CLIP_FRAMES * 640) == source.readframes(CLIP_FRAMES * 640)


async def test_json_requests(running_bridge: Bridge, workspace: Workspace) -> None:
    """The predecessor's JSON calls answer with the avatars, their metadata, and pictures with their bounds."""
    async with connect(websocket_url(running_bridge)) as websocket:

        async def ask(request: dict[str, object]) -> dict[str, object]:
            await websocket.send(json.dumps(request))
            answer: dict[str, object] = json.loads(await asyncio.wait_for(websocket.recv(), DEADLINE_S))
            return answer

        models = await ask({"type": "list_models"})
        metadata = await ask({"type": "get_metadata", "model_name": "second"})
        frame = await ask({"type": "inference", "model_name": "demo", "frame_id": 3})
        video = await ask(
            {"type": "get_video_frame", "model_name": "demo", "frame_id": 3, "video_type": "full_body"}
        )
    bounds = np.load(workspace.avatars / "demo" / "bounds.npy")
    assert models["models"] == ["demo", "second"]
    assert metadata["frame_count"] == CLIP_FRAMES
    assert frame["bounds"] == bounds[3].tolist()
    assert video["success"]


async def test_an_avatar_joins_and_leaves_a_running_server(
    running_bridge: Bridge, triton: Server, workspace: Workspace, clip: Clip
) -> None:
    """A third avatar is imported, loaded, served and unloaded while the first goes on playing."""
    workspace.import_avatar("third", clip)
    repository = tritonclient.grpc.InferenceServerClient(triton.grpc_url)
    async with connect(websocket_url(running_bridge)) as websocket:

        async def render(name: str) -> bytes | str:
            await websocket.send(bytes([len(name)]) + name.encode() + bytes(4))
            return await asyncio.wait_for(websocket.recv(), DEADLINE_S)

        playing = asyncio.create_task(play_until_cancelled(running_bridge))
        await asyncio.to_thread(repository.load_model, "third", headers=triton.grpc_control)
        assert await render("third") == await render("demo")
        await asyncio.to_thread(
            repository.unload_model, "third", headers=triton.grpc_control, unload_dependents=True
        )
        assert json.loads(await render("third"))["code"] == "unknown_model"
        playing.cancel()
        assert await playing >= 1


async def play_until_cancelled(running: Bridge) -> int:
    """Ask for frames of ``demo`` one after another, all of which have to be JPEGs; return how many came."""
    frames = 0
    with contextlib.suppress(asyncio.CancelledError):
        async with connect(websocket_url(running)) as websocket:
            while True:
                await websocket.send(b"\x04demo" + bytes(4))
                answer = await websocket.recv()
                assert answer[:2] == b"\xff\xd8", answer
                frames += 1
    return frames


async def test_a_loading_avatar_leaves_the_server_ready(
    triton: Server, workspace: Workspace, clip: Clip
) -> None:
    """Triton says it is ready at every moment while an avatar fails to load, so no balancer looks away."""
    workspace.import_avatar("broken", clip)
    (workspace.model_repository / "broken_unet" / "1" / "model.onnx").unlink()
    repository = tritonclient.grpc.InferenceServerClient(triton.grpc_url)
    loading = asyncio.create_task(
        asyncio.to_thread(repository.load_model, "broken", headers=triton.grpc_control)
    )
    answers = []
    while not loading.done():
        answers.append(await asyncio.to_thread(repository.is_server_ready))
    with pytest.raises(tritonclient.grpc.InferenceServerException, match="broken_unet"):
        await loading
    answers.append(await asyncio.to_thread(repository.is_server_ready))
    for model in (
        "broken",
        "broken_frames",
        "broken_unet",
        "broken_speech",
        "broken_live",
    ):  # else no other server would start on them
        shutil.rmtree(workspace.model_repository / model)
    assert all(answers)


async def test_the_bridge_and_tritons_secret(triton: Server) -> None:
    """Without Triton's secret the bridge lists what it serves, and with it, it loads a model."""
    without, knowing = TritonClient(triton.grpc_url), TritonClient(triton.grpc_url, triton.secret)
    try:
        assert {"demo", "demo_frames", "second"} <= set(await without.get_model_repository_index(DEADLINE_S))
        with pytest.raises(Refused):
            await without.load_model("second", DEADLINE_S)
        await knowing.load_model("second", DEADLINE_S)
    finally:
        await without.close()
        await knowing.close()


async def test_chromium_plays_the_page(running_bridge: Bridge) -> None:
    """A headless Chromium loads the page, presses play, and shows decoded frames in order."""
    async with launch_browser() as browser, open_page(browser, running_bridge.url) as page:
        played = await play_and_count(page, 30)
    steps = np.diff(played.frame_ids) % CLIP_FRAMES
    assert len(played.frame_ids) == 30
    assert (steps >= 1).all()


def test_perf_analyzer_completes(triton: Server) -> None:
    """Triton's own load generator runs against the ensemble."""
    libraries = Path(sysconfig.get_path("purelib")) / "nvidia" / "cuda_runtime" / "lib"
    command = [
        *(str(PERF_ANALYZER), "-m", "demo", "-i", "grpc", "-u", triton.grpc_url, "--input-data", "zero"),
        *(
            "--measurement-mode",
            "count_windows",
            "--measurement-request-count",
            "20",
            "--stability-percentage",
            "999",
        ),
    ]
    environment = {**os.environ, "LD_LIBRARY_PATH": str(libraries)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Concurrency: 1, throughput:" in done.stdout


@pytest.fixture(scope="module")
def replaying_triton(workspace: Workspace) -> Iterator[Server]:
    """A Triton that answers repeated frames from its response cache."""
    config = EmbeddedConfig(
        model_repository=workspace.model_repository, strategy="replay", http_port=0, stop_timeout_s=3
    )
    with running_triton(config) as servers:
        yield servers[0]


async def test_replay_answers_every_form_of_request(
    replaying_triton: Server, expected_jpegs: dict[int, bytes]
) -> None:
    """A cached frame, first asked for in binary, also answers JSON, with its bounds, and the clients."""
    async with (
        bridge.server.serve(
            BridgeConfig(upstreams=(replaying_triton.grpc_url,), port=0, grpc_port=-1)
        ) as running,
        connect(websocket_url(running)) as websocket,
    ):
        for _ in range(2):
            await websocket.send(b"\x04demo" + bytes(4))
            assert await asyncio.wait_for(websocket.recv(), DEADLINE_S) == expected_jpegs[0]
        await websocket.send(json.dumps({"type": "inference", "model_name": "demo", "frame_id": 0}))
        assert len(json.loads(await asyncio.wait_for(websocket.recv(), DEADLINE_S))["bounds"]) == 4
    with LipsyncClient(f"grpc://{replaying_triton.grpc_url}") as client:
        assert client.render("demo", 0) == expected_jpegs[0]
    statistics = tritonclient.grpc.InferenceServerClient(replaying_triton.grpc_url).get_inference_statistics(
        "demo"
    )
    assert statistics.model_stats[0].inference_stats.cache_hit.count >= 3


def test_tritons_metrics_are_those_that_are_explained(replaying_triton: Server) -> None:
    """Each of Triton's metrics on the operations page, but for those of a GPU, exists on a running Triton."""
    with urllib.request.urlopen(f"http://{replaying_triton.metrics_url.removeprefix('http://')}") as answer:
        running = set(re.findall(r"^# TYPE (\w+) ", answer.read().decode(), re.MULTILINE))
    explained = set(re.findall(r"`(nv_\w+)`", Path("docs/operations.md").read_text()))
    assert {name for name in explained if not name.startswith("nv_gpu_")} <= running


async def test_a_new_import_shows_at_its_load(
    replaying_triton: Server, workspace: Workspace, clip: Clip
) -> None:
    """After another import of an avatar and its load, the response cache does not answer with the old pictures."""
    workspace.import_avatar("changing", clip)
    repository = tritonclient.grpc.InferenceServerClient(replaying_triton.grpc_url)
    repository.load_model("changing", headers=replaying_triton.grpc_control)
    with LipsyncClient(f"grpc://{replaying_triton.grpc_url}") as client:
        before = client.render("changing", 0)
        workspace.import_avatar("changing", clip)
        faces = np.load(workspace.avatars / "changing" / "faces.npy", mmap_mode="r+")  # linked to Triton's
        faces[:] = 255 - faces
        faces.flush()
        repository.load_model("changing", headers=replaying_triton.grpc_control)
        after = client.render("changing", 0)
    repository.unload_model("changing", headers=replaying_triton.grpc_control, unload_dependents=True)
    assert after != before


def websocket_url(running: Bridge) -> str:
    """Return the bridge's WebSocket address."""
    return f"ws://127.0.0.1:{running.port}/ws"
