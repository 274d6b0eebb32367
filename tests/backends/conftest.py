"""A real Triton that serves small models of every backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import EmbeddedConfig
from tests.backends.models import (
    Client,
    FrameData,
    hold,
    write_frame_data,
    write_frames_model,
    write_jpeg_model,
    write_network_model,
)
from tests.conftest import running_triton


@pytest.fixture(scope="session")
def frame_data(tmp_path_factory: pytest.TempPathFactory) -> FrameData:
    return write_frame_data(tmp_path_factory.mktemp("frame_data") / "1")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, frame_data: FrameData) -> Iterator[Client]:
    """A client of the server; its ``repository`` takes further models, which a test then loads."""
    repository: Path = tmp_path_factory.mktemp("small_models")
    write_frames_model(repository, "zeros", frame_data)
    write_frames_model(repository, "repeat", frame_data, edge_padding="repeat")
    write_frames_model(repository, "held", frame_data, lambda config: hold(config, 3))
    write_frames_model(repository, "lazy", frame_data)
    write_jpeg_model(repository, "jpeg_256", size="256", quality="95")
    write_jpeg_model(repository, "jpeg_320", size="320", quality="40")
    write_network_model(repository, "one_thread", intra_op_thread_count="1")
    write_network_model(repository, "six_threads", intra_op_thread_count="6")
    write_network_model(
        repository, "parallel", intra_op_thread_count="1", inter_op_thread_count="4", execution_mode="1"
    )
    write_network_model(repository, "held_network", hold_for=6)
    write_network_model(repository, "held_network_too", hold_for=3)
    config = EmbeddedConfig(model_repository=repository, http_port=0, stop_timeout_s=3)
    with running_triton(config) as servers:
        client = Client(servers[0], repository)
        yield client
        client.grpc.close()
