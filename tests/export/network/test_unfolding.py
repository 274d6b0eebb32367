"""export/network/unfolding.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from demo.weights import AUDIO_ENCODER_PATH, UNET_PATH
from export.errors import BadModel
from export.network.audio_encoder import AveEncoder, export_encoder
from export.network.unet import UNet
from export.network.unfolding import load_exported
from training.network import with_masked


def test_the_demo_unet_paints_as_its_file_does() -> None:
    """Loaded from the served file, whose batch norms are folded and weights halved, it paints the same picture."""
    network = UNet("ave", 0.5)
    load_exported(network, UNET_PATH)
    rng = np.random.default_rng(0)
    face = rng.integers(0, 256, (1, 320, 320, 3)).astype(np.uint8)
    audio = rng.uniform(0, 1, (1, 32, 16, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(UNET_PATH, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["image"], {"face": face, "audio": audio})
    picture = torch.from_numpy(face).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        painted = network.eval()(with_masked(picture, picture), torch.from_numpy(audio))
    got = painted.permute(0, 2, 3, 1).numpy() * 255
    assert np.abs(got - expected).max() < 1.1


def test_the_demo_encoder_hears_as_its_file_does() -> None:
    """Its vectors are those of the file, in training as in evaluation mode up to the statistics."""
    network = AveEncoder()
    load_exported(network, AUDIO_ENCODER_PATH)
    mel = np.random.default_rng(0).uniform(-4, 4, (3, 1, 80, 16)).astype(np.float32)
    session = onnxruntime.InferenceSession(AUDIO_ENCODER_PATH, providers=["CPUExecutionProvider"])
    (expected,) = session.run(["features"], {"mel": mel})
    with torch.no_grad():
        got = network.eval()(torch.from_numpy(mel)).numpy()
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_there_and_back(tmp_path: Path) -> None:
    """Exported with statistics that are not trivial and loaded, a network gives what it gave."""
    torch.manual_seed(0)
    encoder = AveEncoder()
    encoder.train()(torch.randn(8, 1, 80, 16))
    path = tmp_path / "encoder.onnx"
    onnx.save(export_encoder(encoder.eval()), path)
    back = AveEncoder()
    load_exported(back, path)
    mel = torch.randn(4, 1, 80, 16)
    with torch.no_grad():
        torch.testing.assert_close(back.eval()(mel), encoder(mel), rtol=1e-3, atol=1e-4)


def test_another_width_is_refused() -> None:
    """A file of half width does not become a network of full width."""
    with pytest.raises(BadModel, match=r"audio_model\.conv1\.conv\.6\.weight of shape \(64, 64, 1, 1\)"):
        load_exported(UNet("ave", 1.0), UNET_PATH)


def test_another_network_is_refused() -> None:
    """An encoder's file is no U-Net's."""
    with pytest.raises(BadModel, match=r"expected the weights audio_model\.conv1\.conv\.0\.weight"):
        load_exported(UNet("ave", 0.5), AUDIO_ENCODER_PATH)
