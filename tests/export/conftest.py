"""What tests of ``export`` share: networks with known weights, their exports, made once per session."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.__main__ import main as export
from export.contract import UNET_160, UNET_328, Geometry
from export.network.onnx_model import export_network
from export.network.unet import UNet
from speech.contract import window_shape
from tests.export.commands import folders
from tests.export.sources import Source, write_dataset, write_package, write_video_source
from tests.vectors import fill, inputs, inputs_160

DATA = Path(__file__).parents[1] / "data"
SALT = 8


@dataclass(frozen=True)
class Published:
    """A network as it is published, and what it must give.

    Attributes:
        geometry: The network's.
        mode: Its audio mode.
        window: How many vectors it hears.
        shapes: Names and shapes of its state dict.
        outputs: Every ``step``-th row and column of the reference output, (2, 3, …) float32.
        images: Every ``step // 2``-th of the reference pictures, (2, …, 3) uint8.
        step: 4 or 2.
    """

    geometry: Geometry
    mode: str
    window: int
    shapes: dict[str, list[int]]
    outputs: np.ndarray
    images: np.ndarray
    step: int

    @property
    def arguments(self) -> tuple[str, float, Geometry, int]:
        """The arguments of its ``UNet`` at full width."""
        return self.mode, 1.0, self.geometry, self.window

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """The reference inputs: faces (2, S, S, 3) uint8 BGR, and windows of speech."""
        make = inputs if self.geometry is UNET_328 else inputs_160
        return make(2, window_shape(self.mode, self.window), salt=SALT)

    def assert_output(self, output: np.ndarray, image: np.ndarray) -> None:
        """Compare a network's output (2, 3, S, S) float32 and pictures (2, S, S, 3) uint8 with the reference."""
        half = self.step // 2
        assert np.abs(output[:, :, :: self.step, :: self.step] - self.outputs).max() < 1e-4
        assert np.abs(image[:, ::half, ::half].astype(int) - self.images).max() <= 1


@functools.cache
def published_networks() -> dict[str, Published]:
    """Every network that has reference vectors, by a name for tests."""
    found = {}
    for name, geometry, window, step in (("unet_328", UNET_328, 16, 4), ("unet_160", UNET_160, 8, 2)):
        shapes = json.loads((DATA / f"{name}_state_dict.json").read_text())
        with np.load(DATA / f"{name}_parity.npz") as vectors:
            for mode in shapes:
                outputs, images = vectors[f"{mode}_output"], vectors[f"{mode}_image"]
                published = Published(geometry, mode, window, shapes[mode], outputs, images, step)
                found[f"{name}-{mode}"] = published
    return found


NETWORKS = ("unet_328-ave", "unet_328-hubert", "unet_328-wenet", "unet_160-hubert", "unet_160-wenet")


@pytest.fixture(scope="session")
def published(request: pytest.FixtureRequest) -> Published:
    """One of the published networks; to be parametrized indirectly with ``NETWORKS``."""
    return published_networks()[request.param]


@pytest.fixture(scope="session")
def state_shapes() -> dict[str, dict[str, list[int]]]:
    """Names and shapes of the U-Net 328's published state dicts, by audio mode."""
    return {one.mode: one.shapes for one in published_networks().values() if one.geometry is UNET_328}


def published_name(key: str, geometry: Geometry) -> str:
    """Return what an entry of our state dicts is called in the published one: the U-Net 160's are spelt otherwise."""
    if geometry is UNET_328:
        return key
    return key.replace("inc.inconv.0.", "inc.inconv.").replace(".maxpool_conv.0.", ".maxpool_conv.")


def filled_state(shapes: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the reference weights for a table of names and shapes."""
    return {key: torch.from_numpy(fill(key, tuple(shape), SALT)) for key, shape in shapes.items()}


@pytest.fixture(scope="session")
def network() -> Callable[..., UNet]:
    """Return the network of an audio mode, width, geometry and window, with the reference weights."""

    @functools.cache
    def make(
        audio_mode: str = "ave", width: float = 0.5, geometry: Geometry = UNET_328, window: int = 16
    ) -> UNet:
        network = UNet(audio_mode, width, geometry, window).eval()
        shapes = {published_name(key, geometry): value.shape for key, value in network.state_dict().items()}
        values = filled_state(shapes).values()
        network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
        return network

    return make


@pytest.fixture(scope="session")
def served(network: Callable[..., UNet]) -> Callable[..., onnx.ModelProto]:
    """Return a network's served graph, in a precision; a copy, so that a test may change it."""

    @functools.cache
    def export(arguments: tuple[Any, ...], precision: str) -> onnx.ModelProto:
        return export_network(network(*arguments), precision)

    def copy(*arguments: Any, precision: str = "fp32") -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(export(arguments, precision))
        return model

    return copy


@pytest.fixture(scope="session")
def bare_onnx(network: Callable[..., UNet], tmp_path_factory: pytest.TempPathFactory) -> Path:
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
def half_width_pth(network: Callable[..., UNet], tmp_path_factory: pytest.TempPathFactory) -> Path:
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


@pytest.fixture
def out(tmp_path):
    """Where avatars and models go; not made yet."""
    return tmp_path / "out"


@pytest.fixture
def import_avatar(out, bare_onnx):
    """Import an avatar from a source; the weights are the bare ONNX file's unless others are named."""

    def run(source, *extra, name="may"):
        weights = [] if "--checkpoint" in extra else ["--checkpoint", str(bare_onnx)]
        return export(["avatar", name, *source.arguments, *folders(out), *weights, *extra])

    return run


def network_input(faces: np.ndarray) -> np.ndarray:
    """Stack [face, masked face] as the training repositories do.

    The rectangle is x=5, y=5, w=310, h=305, and of the U-Net 160 w=150, h=145.
    """
    width, height = (310, 305) if faces.shape[1] == 320 else (150, 145)
    masked = faces.copy()
    masked[:, 5 : 5 + height, 5 : 5 + width] = 0
    return np.concatenate([faces, masked], axis=3).transpose(0, 3, 1, 2).astype(np.float32) / 255


@pytest.fixture(scope="session")
def picture(network):
    """Two frames, and what PyTorch renders of them with the reference weights."""
    model = network()
    faces, audio = inputs(2, salt=8)
    with torch.inference_mode():
        output = model(torch.from_numpy(network_input(faces)), torch.from_numpy(audio)).numpy()
    return faces, audio, (output * 255).astype(np.uint8).transpose(0, 2, 3, 1)
