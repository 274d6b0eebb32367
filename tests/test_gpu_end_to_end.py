"""An avatar in float16 on a card: written for GPUs, and served by a real Triton with stand-ins for the card."""

from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import tritonclient.grpc

from embedded import EmbeddedConfig, Server
from export.__main__ import main as export
from tests.conftest import Clip, Workspace, running_triton
from tests.gpu_stand_in.machine import needs_compiler, put_cards_in
from triton_lipsync.compute import describe_compute

FRAMES = range(0, 60, 7)
NEAR = 1.0
"""Mean difference of a picture in float16 from that in float32, of 255, at most: seen 0.4, of other frames 4.8."""

pytestmark = needs_compiler


def pictures(server: Server) -> list[np.ndarray]:
    """Return frames of ``demo``, asked for all at once."""

    def ask(frame_id: int) -> np.ndarray:
        with tritonclient.grpc.InferenceServerClient(server.grpc_url) as client:
            tensor = tritonclient.grpc.InferInput("frame_id", (1, 1), "INT32")
            tensor.set_data_from_numpy(np.array([[frame_id]], np.int32))
            jpeg = client.infer("demo", [tensor]).as_numpy("jpeg").reshape(-1)[0]
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(np.float32)

    with ThreadPoolExecutor(len(FRAMES)) as pool:
        return list(pool.map(ask, FRAMES))


def test_float16_on_a_card(
    clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, triton: Server
) -> None:
    """The pictures are those of the CPU but for float16's rounding, and the models report the card."""
    workspace = Workspace(tmp_path / "avatars", tmp_path / "models")
    workspace.import_avatar("demo", clip)
    folders = ["--avatars", str(workspace.avatars), "--model-repository", str(workspace.model_repository)]
    assert export(["strategies", "demo", *folders, "--precision", "fp16", "--gpus", "0"]) == 0
    put_cards_in(monkeypatch, tmp_path / "cuda", cards=1)
    config = EmbeddedConfig(model_repository=workspace.model_repository, strategy="latency", http_port=0)
    with running_triton(config) as (server,):
        with urllib.request.urlopen(server.metrics_url) as answer:
            lines = describe_compute(answer.read().decode())
        found = pictures(server)
    assert lines == ["demo_speech, demo_unet on Stand-in H200 (CUDA)"]
    for picture, expected in zip(found, pictures(triton), strict=True):
        assert np.abs(picture - expected).mean() < NEAR
