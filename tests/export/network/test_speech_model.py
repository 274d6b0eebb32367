"""export/network/speech_model.py"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from demo.weights import AUDIO_ENCODER_PATH
from export.errors import VerificationFailed
from export.network.audio_encoder import AveEncoder, export_encoder
from export.network.speech_model import add_ears, verify_ears
from speech.features import extract_features, open_encoder
from speech.utterance import Utterance
from tests.vectors import fill

DATA = Path(__file__).parents[2] / "data"
SALT = 8


@pytest.fixture(scope="module")
def encoder():
    """The encoder with the reference weights, as ONNX."""
    network = AveEncoder().eval()
    network.load_state_dict(
        {key: torch.from_numpy(fill(key, tuple(v.shape), SALT)) for key, v in network.state_dict().items()}
    )
    return export_encoder(network)


def run(model, samples):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["features"], {"samples": samples})[0]


def mel_of(model, samples):
    """Return what a graph's encoder hears: the tensor ``mel``."""
    with_mel = onnx.ModelProto()
    with_mel.CopyFrom(model)
    with_mel.graph.output.append(onnx.helper.make_tensor_value_info("mel", onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(with_mel.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["mel"], {"samples": samples})[0]


def inputs_of(samples):
    """Return all encoder inputs of a sound."""
    utterance = Utterance()
    utterance.feed(samples)
    utterance.end()
    parts = []
    while len((given := utterance.inputs(16))[1]):
        parts.append(given[1])
    return np.concatenate(parts)


def test_the_mel_is_the_published_one(encoder):
    """The graph hears the reference spectrogram in the reference sound, within a thousandth of its range."""
    with np.load(DATA / "mel_parity.npz") as vectors:
        samples, expected = vectors["pcm"].astype(np.float32) / 32768, vectors["mel"]
    inputs = inputs_of(samples)
    mel = mel_of(add_ears(encoder), inputs)[:, 0]
    for k in range(len(inputs)):
        start = min(int(3.2 * k), expected.shape[1] - 16)
        np.testing.assert_allclose(mel[k], expected[:, start : start + 16], atol=8e-3)


def test_the_vectors_are_those_of_a_file():
    """With the demo's encoder the graph gives what ``aud_ave.npy`` of the same sound holds."""
    rng = np.random.default_rng(0)
    samples = (rng.normal(size=16_000) * 10 ** rng.uniform(-3, -1, 20).repeat(800)).astype(np.float32)
    expected = extract_features(samples, open_encoder(AUDIO_ENCODER_PATH), Path("noise"))
    got = run(add_ears(onnx.load(AUDIO_ENCODER_PATH)), inputs_of(samples))
    np.testing.assert_allclose(got, expected[1:-1], atol=1e-3 * expected.max())


def test_a_batch_is_its_rows(encoder):
    """Every row of a batch is heard as it would be alone."""
    samples = np.random.default_rng(1).normal(size=(3, 3_800)).astype(np.float32) * 0.1
    model = add_ears(encoder)
    together, alone = run(model, samples), np.concatenate([run(model, row[None]) for row in samples])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)
    assert together.shape == (3, 512)


def test_the_graph_is_verified():
    """The demo's agrees within 1e-3; one whose bands are shifted is refused."""
    encoder = open_encoder(AUDIO_ENCODER_PATH)
    model = add_ears(onnx.load(AUDIO_ENCODER_PATH))
    assert verify_ears(model, encoder) < 1e-3
    (bands,) = [item for item in model.graph.initializer if item.name == "ears_bands"]
    bands.CopyFrom(numpy_helper.from_array(np.roll(numpy_helper.to_array(bands), 3, axis=1), bands.name))
    with pytest.raises(VerificationFailed, match="the speech model differs from the audio encoder by"):
        verify_ears(model, encoder)


def test_the_encoder_stays_as_it_was(encoder):
    """The graph that is given is not changed."""
    before = encoder.SerializeToString(deterministic=True)
    add_ears(encoder)
    assert encoder.SerializeToString(deterministic=True) == before
