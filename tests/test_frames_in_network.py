"""Faces in the network beside faces in the lookup, through the real Triton: the same pictures, the same refusals."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from embedded import EmbeddedConfig
from export.repository.configs import ServingOptions
from export.repository.entries import write_entries
from tests.conftest import CLIP_FRAMES, Workspace, running_triton

Client = tritonclient.grpc.InferenceServerClient


@pytest.fixture(scope="module")
def both(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a Triton that serves ``demo``, and the same avatar as ``held``, whose network holds the faces."""
    root: Path = tmp_path_factory.mktemp("resident")
    shutil.copytree(workspace.avatars / "demo", root / "held")
    manifest = root / "held" / "avatar.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "name": "held"}))
    write_entries(workspace.avatars / "demo", root / "models")
    write_entries(root / "held", root / "models", ServingOptions(frames_in_network=True))
    config = EmbeddedConfig(
        model_repository=root / "models", strategy="batching", http_port=0, stop_timeout_s=3
    )
    with running_triton(config) as servers, Client(servers[0].grpc_url) as client:
        yield client


def ask(client: Client, model_name: str, frame_ids: list[int], audio: np.ndarray | None = None):
    """Return JPEGs and bounds of some frames, with a window of speech of their own where there is one."""
    ids = np.array(frame_ids, np.int32)[:, None]
    inputs = [tritonclient.grpc.InferInput("frame_id", ids.shape, "INT32").set_data_from_numpy(ids)]
    if audio is not None:
        given = tritonclient.grpc.InferInput("audio", audio.shape, "FP32").set_data_from_numpy(audio)
        inputs.append(given)
    answer = client.infer(model_name, inputs)
    return answer.as_numpy("jpeg")[:, 0].tolist(), answer.as_numpy("bounds").tolist()


def test_the_clip(both: Client) -> None:
    """Every frame of the clip is the same file to the byte, alone and in batches, and has the same bounds."""
    ids = [*range(CLIP_FRAMES)]
    assert ask(both, "held", ids[:1]) == ask(both, "demo", ids[:1])
    for first in range(0, CLIP_FRAMES, 16):
        jpegs, bounds = ask(both, "held", ids[first : first + 16])
        assert (jpegs, bounds) == ask(both, "demo", ids[first : first + 16])
        assert len(set(jpegs)) == len(jpegs)


def test_live_speech(both: Client) -> None:
    """Any speech over any frame gives the same file to the byte, too."""
    rng = np.random.default_rng(11)
    ids = [CLIP_FRAMES - 1, 0, 17, 17]
    audio = rng.normal(0.0, 1.5, (len(ids), 32, 16, 16)).astype(np.float32)
    jpegs, bounds = ask(both, "held_live", ids, audio)
    assert (jpegs, bounds) == ask(both, "demo_live", ids, audio)
    assert len(set(jpegs)) == len(ids)  # the same face with other speech is another picture


@pytest.mark.parametrize("frame_id", [-1, CLIP_FRAMES, 2**31 - 1])
@pytest.mark.parametrize("live", [False, True], ids=["clip", "live"])
def test_ids_outside(both: Client, frame_id: int, live: bool) -> None:
    """An id outside is refused by the lookup in the same words and with the same code: the network never sees it."""
    audio = np.zeros((1, 32, 16, 16), np.float32) if live else None
    said = []
    for name in ("demo", "held"):
        with pytest.raises(InferenceServerException) as caught:
            ask(both, f"{name}_live" if live else name, [frame_id], audio)
        said.append((caught.value.status(), caught.value.message().replace("held", "demo")))
    assert said[0] == said[1]
    assert said[0][0] == "StatusCode.INVALID_ARGUMENT"
    assert f"frame_id {frame_id} is outside [0, {CLIP_FRAMES - 1}] of model 'demo_frames'" in said[0][1]


def test_no_face_crosses_a_border(both: Client) -> None:
    """The network is given a number and a window of speech, and Triton's config says so."""
    config = both.get_model_config("held_unet", as_json=True)["config"]
    assert [tensor["name"] for tensor in config["input"]] == ["face_id", "audio"]
