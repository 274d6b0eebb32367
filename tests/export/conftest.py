"""What tests of ``export`` share: networks with known weights, their exports, made once per session."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.network.onnx_model import export_network
from export.network.unet import UNet328
from tests.export.sources import Source, write_dataset, write_package, write_video_source
from tests.vectors import fill

DATA = Path(__file__).parents[1] / "data"
SALT = 8


@pytest.fixture(scope="session")
def state_shapes() -> dict[str, dict[str, list[int]]]:
    """Names and shapes of the published state dicts, by audio mode."""
    return json.loads((DATA / "unet_328_state_dict.json").read_text())


@pytest.fixture(scope="session")
def parity() -> dict[str, np.ndarray]:
    """Reference outputs for the weights and inputs of ``tests/vectors.py``."""
    with np.load(DATA / "unet_328_parity.npz") as vectors:
        return dict(vectors)


def filled_state(shapes: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the reference weights for a table of names and shapes."""
    return {key: torch.from_numpy(fill(key, tuple(shape), SALT)) for key, shape in shapes.items()}


@pytest.fixture(scope="session")
def network() -> Callable[..., UNet328]:
    """Return the network of an audio mode and a width, with the reference weights."""

    @functools.cache
    def make(audio_mode: str = "ave", width: float = 0.5) -> UNet328:
        network = UNet328(audio_mode, width).eval()
        network.load_state_dict(
            filled_state({key: value.shape for key, value in network.state_dict().items()})
        )
        return network

    return make


@pytest.fixture(scope="session")
def served(network: Callable[..., UNet328]) -> Callable[..., onnx.ModelProto]:
    """Return the served graph of an audio mode, a width and a precision; a copy, so that a test may change it."""

    @functools.cache
    def export(audio_mode: str, width: float, precision: str) -> onnx.ModelProto:
        return export_network(network(audio_mode, width), precision)

    def copy(audio_mode: str = "ave", width: float = 0.5, precision: str = "fp32") -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(export(audio_mode, width, precision))
        return model

    return copy


@pytest.fixture(scope="session")
def bare_onnx(network: Callable[..., UNet328], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A half-width network as the predecessor's packages carry it: ``input``, ``audio`` to ``output``, opset 17."""
    path = tmp_path_factory.mktemp("onnx") / "model_best.onnx"
    names = ["input", "audio", "output"]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch calls its older exporter deprecated; packages were made with it
        torch.onnx.export(
            network(),
            (torch.zeros(1, 6, 320, 320), torch.zeros(1, 32, 16, 16)),
            str(path),
            input_names=names[:2],
            output_names=names[2:],
            dynamic_axes={name: {0: "batch_size"} for name in names},
            opset_version=17,
            dynamo=False,
        )
    return path


@pytest.fixture(scope="session")
def half_width_pth(network: Callable[..., UNet328], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network as a PyTorch checkpoint."""
    path = tmp_path_factory.mktemp("pth") / "best_trainloss.pth"
    torch.save({"epoch": 7, "model_state_dict": network().state_dict()}, path)
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Source:
    """A training repository's dataset folder."""
    return write_dataset(tmp_path / "May")


@pytest.fixture
def package(tmp_path: Path) -> Source:
    """A package of the predecessor, with one feature vector less than frames, and no weights."""
    return write_package(tmp_path / "sanders")


@pytest.fixture
def video_source(tmp_path: Path) -> Source:
    """A folder with a video, its landmarks and its features."""
    return write_video_source(tmp_path / "clip")
