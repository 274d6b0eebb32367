"""speech/features.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from export.network.audio_encoder import AveEncoder, export_encoder
from export.network.encoder_weights import open_encoder
from speech.errors import BadEncoder, BadSound
from speech.features import encode, extract_features
from speech.mel import mel_spectrogram
from speech.wav import read_wav
from tests.speech.test_wav import pcm16, tone, write


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder's checkpoint, and the same encoder as ONNX beside it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder") / "encoder.pth"
    encoder = AveEncoder().eval()
    torch.save(encoder.state_dict(), path)
    onnx.save(export_encoder(encoder), path.with_suffix(".onnx"))
    return path


def test_onnx_and_checkpoint_hear_the_same(tmp_path: Path, weights: Path) -> None:
    """Either file gives the same vectors: one for each window, and a copy of the first and of the last."""
    sound = write(tmp_path / "aud.wav", pcm16(tone(16_000, seconds=6.0)))
    first, second = (
        extract_features(read_wav(sound), open_encoder(weights.with_suffix(suffix)), sound)
        for suffix in (".pth", ".onnx")
    )
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)
    assert first.dtype == second.dtype == np.float32
    assert first.shape == (int((481 - 16) / 80 * 25) + 2 + 2, 512)
    assert (first[0] == first[1]).all()
    assert (first[-1] == first[-2]).all()


def test_the_window_of_a_vector() -> None:
    """Vector j + 1 is made of the 16 mel frames from int(80 j / 25) on."""
    mel = np.random.default_rng(0).uniform(-4, 4, (80, 480)).astype(np.float32)
    vectors = encode(mel, lambda windows: windows.reshape(len(windows), -1))
    assert len(vectors) == int((480 - 16) / 80 * 25) + 2 + 2
    for frame in (0, 1, 7, 140):
        start = int(80 * frame / 25)
        assert (vectors[frame + 1] == mel[:, start : start + 16].ravel()).all()


def test_features_of_a_moment(tmp_path: Path, weights: Path) -> None:
    """A sound shorter than one window has no features."""
    sound = write(tmp_path / "aud.wav", pcm16(tone(16_000, seconds=0.1)))
    with pytest.raises(BadSound, match=r"expected at least 0\.19 s of speech, got 0\.10 s"):
        extract_features(read_wav(sound), open_encoder(weights), sound)


def other_model() -> bytes:
    """Return a whole ONNX file of something else."""
    value = helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["batch", 3])
    result = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", 3])
    graph = helper.make_graph([helper.make_node("Relu", ["mel"], ["features"])], "other", [value], [result])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (None, "nothing there"),
        (b"none", "a file that ONNX Runtime cannot load"),
        (other_model(), r"\[\('mel', \[3\]\)\] to \[\('features', \[3\]\)\]"),
    ],
)
def test_no_encoder(tmp_path: Path, content: bytes | None, got: str) -> None:
    """A file that is missing, damaged or another network's is refused in one sentence."""
    path = tmp_path / "encoder.onnx"
    if content is not None:
        path.write_bytes(content)
    expected = r"expected an ONNX audio encoder, mel \(B, 1, 80, 16\) to features \(B, 512\)"
    with pytest.raises(BadEncoder, match=f"{expected}, got {got}"):
        open_encoder(path)


def test_the_mel_of_a_file(tmp_path: Path) -> None:
    """What the encoder hears is the spectrogram of the file's samples."""
    samples = tone(16_000, seconds=1.0).astype(np.float32)
    sound = write(tmp_path / "aud.wav", pcm16(samples))
    vectors = extract_features(read_wav(sound), lambda windows: windows.reshape(len(windows), -1), sound)
    expected = mel_spectrogram(samples)[:, 9:25].ravel()  # of frame 3
    np.testing.assert_allclose(vectors[4], expected, atol=0.05)
