"""Avatars of the U-Net 160, at the rates of their clips, on real parts: Triton, the bridge, Chromium."""

from __future__ import annotations

import asyncio
import io
import shutil
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from playwright.async_api import expect

import bridge.server
from backends.jpeg_encode.encoder import encode_jpeg
from bridge.config import BridgeConfig
from embedded import EmbeddedConfig, Server
from export.contract import UNET_160
from export.network.onnx_model import export_network
from export.network.unet import UNet
from lipsync_client import LipsyncClient
from speech.contract import vector_size, window_shape
from speech.wav import write_wav
from tests.browser import launch_browser, open_page, play_and_count
from tests.conftest import CLIP_FRAMES, Clip, Workspace, running_triton

MODES = {"hubert": ("aud_hu.npy", 25), "wenet": ("aud_wenet.npy", 20)}
"""File of the features, and pictures a second."""

REMEMBER_STARTS = """
const start = AudioBufferSourceNode.prototype.start;
globalThis.starts = [];
AudioBufferSourceNode.prototype.start = function (...arguments) {
  starts.push({ seconds: this.buffer.duration, rate: this.playbackRate.value });
  return start.apply(this, arguments);
};
"""

SAMPLES = {mode: CLIP_FRAMES * 16_000 // fps for mode, (_, fps) in MODES.items()}


def tone(samples: int) -> np.ndarray:
    """Return a sound of which no two pieces of a frame's length are equal."""
    times = np.arange(samples) / 16_000
    return (8000 * np.sin(2 * np.pi * (200 * times + 40 * times**2))).astype(np.int16)


@pytest.fixture(scope="module")
def small(clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The avatars ``hubert`` and ``wenet``: the drawn clip, features of noise, and random weights of half width."""
    root = tmp_path_factory.mktemp("small")
    workspace = Workspace(root / "avatars", root / "model_repository")
    for mode, (file, _) in MODES.items():
        folder = shutil.copytree(clip.folder, root / mode)
        (folder / "aud_ave.npy").unlink()
        features = np.random.default_rng(1).normal(size=(CLIP_FRAMES, vector_size(mode))).astype(np.float32)
        np.save(folder / file, features)
        write_wav(folder / "aud.wav", tone(SAMPLES[mode]))
        torch.manual_seed(3)
        weights = root / f"{mode}.onnx"
        onnx.save(export_network(UNet(mode, 0.5, UNET_160, 8).eval()), weights)
        workspace.import_avatar(mode, Clip(folder), "--checkpoint", str(weights))
    return workspace


@pytest.fixture(scope="module")
def server(small: Workspace) -> Iterator[Server]:
    """A real Triton that serves both."""
    config = EmbeddedConfig(model_repository=small.model_repository, http_port=0, stop_timeout_s=3)
    with running_triton(config) as servers:
        yield servers[0]


def outside_triton(small: Workspace, mode: str, frame_id: int) -> bytes:
    """Return what the served ONNX file gives without Triton, through the same JPEG encoder."""
    avatar = small.avatars / mode
    faces, features = np.load(avatar / "faces.npy"), np.load(avatar / "audio_features.npy")
    padded = np.pad(features, ((4, 4), (0, 0)))
    window = padded[frame_id : frame_id + 8].reshape(1, *window_shape(mode, 8))
    path: Path = small.model_repository / f"{mode}_unet" / "1" / "model.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (image,) = session.run(["image"], {"face": faces[frame_id : frame_id + 1], "audio": window})
    return encode_jpeg(image[0], 256, 95)


@pytest.mark.parametrize("mode", MODES)
def test_the_same_bytes_as_outside_triton(small: Workspace, server: Server, mode: str) -> None:
    """Frames through Triton equal, byte for byte, the same ONNX file outside; they have the network's own size."""
    with LipsyncClient(f"grpc://{server.grpc_url}") as client:
        for frame_id in (0, 3, CLIP_FRAMES - 1):
            jpeg = client.render(mode, frame_id)
            assert jpeg == outside_triton(small, mode, frame_id)
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert picture.shape == (160, 160, 3)


async def test_a_clip_of_20_pictures_a_second_in_the_page(server: Server) -> None:
    """The page plays a wenet avatar at its own rate with its whole sound, and its whole frames too."""
    config = BridgeConfig(upstreams=(server.grpc_url,), port=0, grpc_port=-1)
    async with bridge.server.serve(config) as running:
        answer = await asyncio.to_thread(
            lambda: urllib.request.urlopen(f"{running.url}audio/wenet.wav").read()
        )
        with wave.open(io.BytesIO(answer)) as sound:
            samples = np.frombuffer(sound.readframes(SAMPLES["wenet"] + 1), "<i2")
        np.testing.assert_array_equal(samples, tone(SAMPLES["wenet"]))
        async with (
            launch_browser() as browser,
            open_page(browser, running.url, init_script=REMEMBER_STARTS) as page,
        ):
            await page.select_option("#model", "wenet")
            await expect(page.locator("#rate-text")).to_have_text("20 fps")
            await play_and_count(page, CLIP_FRAMES)
            assert await page.evaluate("() => starts[0]") == {"seconds": CLIP_FRAMES / 20, "rate": 1}
            width = "() => document.getElementById('picture').width"
            assert await page.evaluate(width) == 512  # the whole frame, the picture in it
            await page.uncheck("#whole")
            await page.wait_for_function(f"{width} === 160")
