from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from export.audio_encoder import AveEncoder, extract_features, load_encoder
from export.errors import BadCheckpoint, BadSource
from export.mel import mel_spectrogram
from tests.export.conftest import filled_state
from tests.export.test_wav import pcm16, tone, write

DATA = Path(__file__).parents[1] / "data"


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
    [(None, "nothing there"), (b"no checkpoint", "a file that is none"), ([1, 2], "a list")],
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


def test_features_of_a_file(tmp_path: Path, weights: Path) -> None:
    """A vector for each window of the sound, and a copy of the first and of the last."""
    encoder = load_encoder(weights)
    sound = write(tmp_path / "aud.wav", pcm16(tone(16_000, seconds=1.0)))
    features = extract_features(sound, encoder)
    assert features.dtype == np.float32
    assert features.shape == (int((81 - 16) / 80 * 25) + 2 + 2, 512)
    assert (features[0] == features[1]).all()
    assert (features[-1] == features[-2]).all()
    mel = mel_spectrogram(tone(16_000, seconds=1.0).astype(np.float32))
    with torch.inference_mode():
        third = encoder(torch.from_numpy(mel[None, None, :, 9:25].copy()))
    np.testing.assert_allclose(features[4], third[0].numpy(), rtol=1e-2, atol=1e-2)


def test_features_of_a_moment(tmp_path: Path, weights: Path) -> None:
    """A sound shorter than one window has no features."""
    sound = write(tmp_path / "aud.wav", pcm16(tone(16_000, seconds=0.1)))
    with pytest.raises(BadSource, match=r"expected at least 0\.19 s of speech, got 0\.10 s"):
        extract_features(sound, load_encoder(weights))
