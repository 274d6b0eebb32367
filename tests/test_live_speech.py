"""Live speech on real parts: the client, the bridge, and one or two real Tritons."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import pytest_asyncio
import tritonclient.grpc

import bridge.server
from bridge.config import BridgeConfig
from bridge.live.clip import frame_at
from bridge.server import Bridge
from demo.measure import correlation, measure_mouth
from demo.recording import read_recording
from demo.visemes import mouth_poses
from embedded import EmbeddedConfig, Server
from lipsync_client import connect_speech
from lipsync_client.speech_wire import Ended, Interrupted, SpeechPicture
from speech.streaming import resample
from speech.utterance import Utterance
from speech.wav import write_wav
from tests.conftest import CLIP_FRAMES, Workspace, running_triton
from tests.embedded.processes import find_family

HELD_OUT = read_recording("heldout")
SENTENCE = HELD_OUT.sound[16_000:48_000]
"""Two seconds of a voice that the networks never heard."""

PATIENCE_S = 60.0
ROOT = Path(__file__).parent.parent


def config_for(*addresses: str) -> BridgeConfig:
    """Return a bridge for a machine that may be busy: nothing here is about time."""
    return BridgeConfig(
        upstreams=addresses, port=0, grpc_port=-1, speech_timeout_s=PATIENCE_S, speech_admission="off"
    )


@pytest_asyncio.fixture
async def running(triton: Server) -> AsyncIterator[Bridge]:
    """A bridge in front of the shared Triton."""
    async with bridge.server.serve(config_for(triton.grpc_url)) as running:
        yield running


def ask(
    client: tritonclient.grpc.InferenceServerClient, model: str, **inputs: np.ndarray
) -> dict[str, np.ndarray]:
    """Ask one model by plain KServe; return its outputs."""
    tensors = []
    for name, value in inputs.items():
        kind = "INT32" if value.dtype == np.int32 else "FP32"
        tensors.append(tritonclient.grpc.InferInput(name, list(value.shape), kind))
        tensors[-1].set_data_from_numpy(value)
    result = client.infer(model, tensors)
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def windows_of(client: tritonclient.grpc.InferenceServerClient, samples: np.ndarray) -> list[np.ndarray]:
    """Return each frame's window of a sound that is there as a whole, its vectors asked for one at a time."""
    utterance = Utterance()
    utterance.feed(samples)
    utterance.end()
    while len((given := utterance.inputs(1))[1]):
        utterance.put(given[0], ask(client, "demo_speech", samples=given[1])["features"])
    assert utterance.frame_count is not None
    return [utterance.window(frame) for frame in range(utterance.frame_count)]


def expected(triton: Server, samples: np.ndarray) -> list[bytes]:
    """Return the pictures of a whole sound by plain requests to Triton, on the clip from its first frame on."""
    client = tritonclient.grpc.InferenceServerClient(triton.grpc_url)
    pictures = []
    for number, window in enumerate(windows_of(client, samples)):
        frame_id = np.array([[frame_at(number, CLIP_FRAMES)]], np.int32)
        answer = ask(client, "demo_live", frame_id=frame_id, audio=window.reshape(1, 32, 16, 16))
        pictures.append(answer["jpeg"][0, 0])
    return pictures


async def spoken(url: str, pcm: bytes, sizes: Iterator[int], **options: object) -> list[SpeechPicture]:
    """Say a sound in pieces without a clock; return its pictures."""
    async with connect_speech(url, "demo", pacing="none", answer_timeout_s=PATIENCE_S, **options) as session:  # type: ignore[arg-type]

        async def send() -> None:
            start = 0
            for size in sizes:
                if start >= len(pcm):
                    break
                await session.send(pcm[start : start + size])
                start += size
            await session.end()

        sending = asyncio.create_task(send())
        pictures = [picture async for picture in session.until_ended()]
        await sending
    return pictures


def pieces(seed: int, sample_bytes: int = 2) -> Iterator[int]:
    """Yield random lengths of whole samples, without end."""
    rng = np.random.default_rng(seed)
    while True:
        yield sample_bytes * int(rng.choice([1, 160, 641, 5_000]))


def whole(pcm: bytes) -> Iterator[int]:
    """Yield the one length that takes all."""
    return iter([len(pcm)])


async def test_any_pieces_give_the_pictures_of_the_whole(running: Bridge, triton: Server) -> None:
    """Streamed in pieces of any size, an utterance gives byte for byte what plain requests for the whole give."""
    reference = expected(triton, SENTENCE.astype(np.float32) / 32768)
    pcm = SENTENCE.astype("<i2").tobytes()
    assert len(reference) == len(SENTENCE) / 640
    for sizes in (whole(pcm), pieces(1), pieces(2)):
        pictures = await spoken(running.url, pcm, sizes)
        assert [bytes(picture.jpeg) for picture in pictures] == reference
        assert [picture.sample for picture in pictures] == list(range(0, len(SENTENCE), 640))


async def test_another_rate_gives_the_pictures_of_the_resampled_file(running: Bridge, triton: Server) -> None:
    """At 24 kHz in float32, the pictures are those of the file resampled as a whole."""
    original = np.interp(np.arange(24_000) / 1.5, np.arange(16_000), SENTENCE[:16_000] / 32768).astype("<f4")
    reference = expected(triton, resample(original, 24_000))
    pictures = await spoken(running.url, original.tobytes(), pieces(3, 4), sample_rate=24_000, format="f32le")
    assert [bytes(picture.jpeg) for picture in pictures] == reference


async def test_two_speakers_at_once(running: Bridge) -> None:
    """Two sessions with different speech each get exactly the pictures that they get alone."""
    first, second = (
        HELD_OUT.sound[start : start + 16_000].astype("<i2").tobytes() for start in (16_000, 60_000)
    )
    alone = [await spoken(running.url, pcm, whole(pcm)) for pcm in (first, second)]
    together = await asyncio.gather(
        *(spoken(running.url, pcm, pieces(n)) for n, pcm in enumerate((first, second)))
    )
    for before, after in zip(alone, together, strict=True):
        assert [picture.jpeg for picture in before] == [picture.jpeg for picture in after]
    assert [picture.jpeg for picture in together[0]] != [picture.jpeg for picture in together[1]]


async def test_an_interruption_leaves_nothing(running: Bridge) -> None:
    """After the acknowledgement comes no picture of the old epoch; the next utterance is whole."""
    pcm = SENTENCE.astype("<i2").tobytes()
    async with connect_speech(running.url, "demo", answer_timeout_s=PATIENCE_S) as session:
        await session.send(pcm)
        epochs, acknowledged = [], False
        async for message in session.messages():
            if isinstance(message, SpeechPicture) and message.is_speech and not acknowledged:
                await session.interrupt()
                acknowledged = True
            elif isinstance(message, Interrupted):
                await session.send(pcm[:32_000])
                await session.end()
            elif isinstance(message, Ended):
                break
            elif isinstance(message, SpeechPicture) and acknowledged:
                epochs.append(message.epoch)
    assert set(epochs) == {1}


async def test_idling_asks_for_nothing_after_the_first_loop(running: Bridge, triton: Server) -> None:
    """Once each frame's silent picture is remembered, an idle session costs no inference, and shuts its mouth."""
    client = tritonclient.grpc.InferenceServerClient(triton.grpc_url)
    silent: dict[int, bytes] = {}
    async with connect_speech(running.url, "demo", answer_timeout_s=PATIENCE_S) as session:
        async for picture in session:
            silent[picture.frame_id] = bytes(picture.jpeg)
            if len(silent) == CLIP_FRAMES:
                break
        before = executions(client)
        numbers = []
        async for picture in session:
            assert silent[picture.frame_id] == picture.jpeg
            numbers.append(picture.number)
            if len(numbers) == CLIP_FRAMES:
                break
    assert executions(client) == before
    openings = [opening(jpeg) for jpeg in silent.values()]
    poses = mouth_poses(HELD_OUT.phonemes, len(HELD_OUT.sound) // 640)
    assert np.mean(openings) < 0.1 * np.ptp([pose.opening for pose in poses])


def executions(client: tritonclient.grpc.InferenceServerClient) -> int:
    """Return how often the network ran."""
    statistics = client.get_inference_statistics("demo_unet", as_json=True)
    return int(statistics["model_stats"][0].get("execution_count", 0))


def opening(jpeg: bytes) -> float:
    """Return how far the mouth is open in a picture."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    mouth = measure_mouth(picture)
    return mouth.opening if mouth else 0.0


async def test_lips_follow_the_held_out_voice(running: Bridge) -> None:
    """Through the live path, on frames of another clip, the mouth opens as the held-out speech does: r of 0.9."""
    pcm = HELD_OUT.sound.astype("<i2").tobytes()
    pictures = await spoken(running.url, pcm, pieces(4))
    painted = np.array([opening(bytes(picture.jpeg)) for picture in pictures])
    true = np.array([pose.opening for pose in mouth_poses(HELD_OUT.phonemes, len(pictures))])
    assert correlation(true, painted) >= 0.9


@pytest.fixture
def two_tritons(workspace: Workspace) -> Iterator[list[Server]]:
    """Two real Triton processes on the same models."""
    config = EmbeddedConfig(
        model_repository=workspace.model_repository, processes=2, http_port=0, stop_timeout_s=3
    )
    with running_triton(config) as servers:
        yield servers


async def test_a_triton_that_dies_costs_no_picture(two_tritons: list[Server]) -> None:
    """One of two Tritons is killed in mid-sentence: no picture is missing, none is wrong."""
    reference = expected(two_tritons[0], SENTENCE.astype(np.float32) / 32768)
    addresses = tuple(server.grpc_url for server in two_tritons)
    async with bridge.server.serve(config_for(*addresses)) as running:
        pictures = []
        async with connect_speech(running.url, "demo", pacing="none", answer_timeout_s=PATIENCE_S) as session:
            await session.send(SENTENCE.astype("<i2").tobytes())
            await session.end()
            async for picture in session.until_ended():
                pictures.append(picture)
                if len(pictures) == 10:
                    find_family(f"--grpc-port={two_tritons[1].grpc_port}").member("tritonserver").kill()
    assert [bytes(picture.jpeg) for picture in pictures] == reference


async def test_speaking_into_a_file(running: Bridge, tmp_path: Path) -> None:
    """``speak`` writes a video with sound: every picture is there, and both are as long as the speech."""
    write_wav(tmp_path / "in.wav", HELD_OUT.sound[:48_000])
    words = ["speak", "--url", running.url, "--avatar", "demo", "--audio", "in.wav", "--out", "out.mp4"]
    done = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "lipsync_client", *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "clients" / "python")},
    )
    assert await done.wait() == 0
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert file.streams.video[0].average_rate == 25
        frames = [frame.time for frame in file.decode(video=0)]
        file.seek(0)
        sound = [frame.samples for frame in file.decode(audio=0)]
        rate = file.streams.audio[0].rate
    assert len(frames) == 75
    np.testing.assert_allclose(np.diff(frames), 0.04, atol=1e-3)
    assert sum(sound) / rate == pytest.approx(3.0, abs=0.08)
