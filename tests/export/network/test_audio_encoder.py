from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from export.errors import BadCheckpoint, VerificationFailed
from export.network.audio_encoder import AveEncoder, export_encoder, load_encoder
from tests.export.conftest import filled_state

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """The reference weights, under the published names."""
    return filled_state(json.loads((DATA / "audio_encoder_state_dict.json").read_text()))


@pytest.fixture
def weights(tmp_path: Path, state: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "encoder.pth"
    torch.save(state, path)
    return path


def test_has_the_published_entries(state: dict[str, torch.Tensor]) -> None:
    """Names, shapes and order are those of the published state dict."""
    own = AveEncoder().state_dict()
    assert [(key, value.shape) for key, value in own.items()] == [(k, v.shape) for k, v in state.items()]


@pytest.mark.parametrize("prefix", ["audio_encoder.", ""])
def test_equals_the_reference(tmp_path: Path, state: dict[str, torch.Tensor], prefix: str) -> None:
    """A file with or without the prefix loads, and gives the reference features."""
    path = tmp_path / "encoder.pth"
    torch.save({prefix + key.removeprefix("audio_encoder."): value for key, value in state.items()}, path)
    encoder = load_encoder(path)
    assert not encoder.training
    with np.load(DATA / "audio_encoder_parity.npz") as vectors, torch.inference_mode():
        features = encoder(torch.from_numpy(vectors["mel"])).numpy()
        np.testing.assert_allclose(features, vectors["features"], rtol=1e-5, atol=1e-4)


def test_missing_unknown_and_misshapen_entries(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights of something else are refused with a count and an example."""
    path = tmp_path / "encoder.pth"
    wrong = {key: value for key, value in state.items() if ".12." not in key}
    torch.save({**wrong, "head.bias": torch.zeros(3)}, path)
    with pytest.raises(BadCheckpoint) as error:
        load_encoder(path)
    assert str(error.value) == (
        f"{path}: expected the 91 entries of an AVE audio encoder, "
        "got 7 that are missing, unknown or of another shape, the first audio_encoder.12.conv_block.0.bias"
    )


@pytest.mark.parametrize(
    ("content", "got"),
    [(None, "nothing there"), (b"no checkpoint", "bytes that torch cannot read"), ([1, 2], "a list")],
)
def test_no_state_dict(tmp_path: Path, content: object, got: str) -> None:
    """A missing file, bytes and another object are each said to be so."""
    path = tmp_path / "encoder.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(BadCheckpoint, match=f"got {got}"):
        load_encoder(path)


def test_weights_that_are_not_finite(weights: Path, tmp_path: Path) -> None:
    """An encoder whose weights hold NaN is refused by name of the first such entry."""
    state = torch.load(weights, weights_only=True)
    key = next(key for key in state if key.endswith("3.conv_block.0.weight"))
    state[key][0] = float("nan")
    torch.save(state, tmp_path / "encoder.pth")
    with pytest.raises(
        BadCheckpoint, match=rf"expected finite weights, got \d+ of \d+ NaN or infinite in .*{key}$"
    ):
        load_encoder(tmp_path / "encoder.pth")


def test_export_equals_the_reference(weights: Path) -> None:
    """The ONNX encoder gives the reference features, for any number of windows."""
    model = export_encoder(load_encoder(weights))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    with np.load(DATA / "audio_encoder_parity.npz") as vectors:
        (features,) = session.run(["features"], {"mel": vectors["mel"]})
        np.testing.assert_allclose(features, vectors["features"], rtol=1e-5, atol=1e-4)
        (first,) = session.run(["features"], {"mel": vectors["mel"][:1]})
        np.testing.assert_allclose(first, features[:1], rtol=1e-5, atol=1e-4)


def test_an_export_that_differs_is_refused(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph of other weights than the encoder's is not written."""
    other = export_encoder(AveEncoder().eval())
    monkeypatch.setattr("export.network.audio_encoder.trace", lambda *args: other)
    with pytest.raises(VerificationFailed, match="the exported audio encoder differs from PyTorch by"):
        export_encoder(load_encoder(weights))
