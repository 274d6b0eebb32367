"""What many tests share: the demo avatar, and a real Triton that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import embedded
from demo.dataset import write_take
from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from embedded import EmbeddedConfig, Server
from export.__main__ import main as export
from export.network.encoder_weights import open_encoder
from tests.character import spoken

collect_ignore = ["agents"]  # in an environment of their own: `make test-agents`

CLIP_FRAMES = 60
"""Enough for every test, and quick to draw."""


SLOW = (
    "backends/test_frame_lookup",
    "backends/test_jpeg_encode",
    "backends/test_onnxruntime",
    "backends/test_tensorrt",
    "benchmarks/baselines",
    "benchmarks/gpu",
    "benchmarks/stages",
    "benchmarks/test_main",
    "benchmarks/test_perf_analyzer",
    "benchmarks/test_site",
    "bridge/grpc_service/test_packages",
    "bridge/live/test_engine.py::test_ten_minutes",
    "bridge/test_main",
    "bridge/test_page",
    "clients/test_main",
    "clients/test_real_triton",
    "compose",
    "demo/test_dataset",
    "demo/test_lip_sync",
    "docker",
    "embedded/backends/onnxruntime/test_batches.py::test_the_network",
    "embedded/backends/onnxruntime/test_model",
    "embedded/test_backends",
    "embedded/test_guard",
    "embedded/test_health",
    "embedded/test_interpreter",
    "embedded/test_leftovers",
    "embedded/test_load",
    "embedded/test_main",
    "embedded/test_model_control",
    "embedded/test_secret_file",
    "embedded/test_server",
    "embedded/test_tls",
    "embedded/test_watch",
    "export/network/rewrite",
    "export/network/test_audio_encoder",
    "export/network/test_compact",
    "export/network/test_encoder_weights",
    "export/network/test_engine",
    "export/network/test_half",
    "export/network/test_onnx_model",
    "export/network/test_resident",
    "export/network/test_unet",
    "export/network/test_verify",
    "export/network/test_weights",
    "export/test_full_disk",
    "export/test_hearing_cli",
    "export/test_avatar_cli",
    "export/test_interrupted",
    "export/test_main",
    "test_deployed_clients",
    "test_documents.py::test_the_",
    "test_end_to_end",
    "test_frames_in_network",
    "test_gpu_end_to_end",
    "test_live_speech",
    "test_page_speech",
    "test_recovery",
    "test_rolling_restart",
    "test_smaller_network",
    "test_wheel",
    "training",
    "triton_lipsync/test_main",
    "triton_lipsync/test_start",
)
"""What starts servers, browsers, exports or training of its own: how its path, or its path and name, begin."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``make test-fast`` leaves out."""
    folder = Path(__file__).parent
    for item in items:
        if f"{item.path.relative_to(folder).as_posix()}::{item.name}".startswith(SLOW):
            item.add_marker(pytest.mark.slow)


@dataclass(frozen=True)
class Clip:
    """A drawn clip, and the arguments that import it."""

    folder: Path

    @property
    def source_arguments(self) -> list[str]:
        return ["--dataset", str(self.folder)]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The first 60 frames of what the demo's character says, as a dataset folder."""
    folder = tmp_path_factory.mktemp("clip") / "clip"
    write_take(folder, spoken(CLIP_FRAMES), seed=0, encoder=open_encoder(AUDIO_ENCODER_PATH))
    return Clip(folder)


@dataclass(frozen=True)
class Workspace:
    """Folders that hold imported avatars and the models made of them."""

    avatars: Path
    model_repository: Path

    def import_avatar(self, name: str, clip: Clip, *extra: str) -> None:
        folders = ["--avatars", str(self.avatars), "--model-repository", str(self.model_repository)]
        weights = [] if "--checkpoint" in extra else ["--checkpoint", str(UNET_PATH)]
        assert export(["avatar", name, *clip.source_arguments, *folders, *weights, *extra]) == 0


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Workspace:
    """The avatars ``demo`` and ``second``, imported."""
    root = tmp_path_factory.mktemp("workspace")
    workspace = Workspace(root / "avatars", root / "model_repository")
    workspace.import_avatar("demo", clip)
    workspace.import_avatar("second", clip, "--edge-padding", "repeat")
    return workspace


@contextlib.contextmanager
def running_triton(config: EmbeddedConfig) -> Iterator[list[Server]]:
    """Run a real Triton in an event loop of its own, for tests of any kind."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = embedded.serve(config)
    try:
        yield asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(config.start_timeout_s)
    finally:
        stopping = asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop)
        with contextlib.suppress(embedded.EmbeddedError):
            stopping.result(config.stop_timeout_s + 30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def triton(workspace: Workspace) -> Iterator[Server]:
    """A real Triton serving ``demo`` and ``second``; attributes ``grpc_url`` and ``http_url``."""
    config = EmbeddedConfig(model_repository=workspace.model_repository, http_port=0, stop_timeout_s=3)
    with running_triton(config) as servers:
        yield servers[0]
