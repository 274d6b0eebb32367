"""demo/weights.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from demo import weights
from demo.weights import WEIGHTS_PATH, pass_through_network

TOLERANCE = 3
"""Of 255: the sigmoid is undone by pieces of straight lines, and the output is truncated."""


def run(path: Path, faces: np.ndarray, audio: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (images,) = session.run(["image"], {"face": faces, "audio": audio})
    return np.asarray(images)


def faces(count: int) -> np.ndarray:
    """Return (count, 320, 320, 3) uint8: smooth, every value of the scale among them."""
    rows, columns = np.mgrid[0:320, 0:320]
    ramp = np.dstack([rows * 255 // 319, columns * 255 // 319, (rows + columns) * 255 // 638])
    return np.stack([np.roll(ramp, 40 * index, axis=0) for index in range(count)]).astype(np.uint8)


def audio(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 32, 16, 16)).astype(np.float32)


def test_passes_the_face_through() -> None:
    """The weights in the repository give each face of a batch back, whatever is said."""
    batch = faces(3)
    images = run(WEIGHTS_PATH, batch, audio(3, seed=1))
    assert images.dtype == np.uint8
    assert np.abs(images.astype(int) - batch).max() <= TOLERANCE
    np.testing.assert_array_equal(images, run(WEIGHTS_PATH, batch, audio(3, seed=2)))


def test_network() -> None:
    """The network is the half-width one, and its output is its first three channels, the reference face."""
    network = pass_through_network()
    generator = torch.Generator().manual_seed(5)
    inputs = torch.rand(1, 6, 320, 320, generator=generator)
    with torch.no_grad():
        output = network(inputs, torch.rand(1, 32, 16, 16, generator=generator))
    assert 3.0e6 < sum(parameter.numel() for parameter in network.parameters()) < 3.2e6
    assert (output - inputs[:, :3]).abs().max() < (TOLERANCE + 1) / 255


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command reports how the weights were verified, and writes some that do what those in the repository do."""
    monkeypatch.setattr(weights, "WEIGHTS_PATH", tmp_path / "unet.onnx")
    monkeypatch.setattr(
        weights, "verify", lambda model, network: ["compared"]
    )  # slow, and tested with export
    weights.main()
    batch, speech = faces(1), audio(1, seed=3)
    assert capsys.readouterr().out.splitlines()[-1] == "compared"
    np.testing.assert_array_equal(
        run(tmp_path / "unet.onnx", batch, speech), run(WEIGHTS_PATH, batch, speech)
    )
