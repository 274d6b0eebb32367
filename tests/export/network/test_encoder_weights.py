"""export/network/encoder_weights.py"""

import sys

import numpy as np
import onnx
import pytest
import torch

from demo.weights import AUDIO_ENCODER_PATH
from export.errors import BadCheckpoint, MissingExtra
from export.network.audio_encoder import AveEncoder, export_encoder
from export.network.encoder_weights import open_encoder
from speech.errors import BadEncoder

MEL = np.random.default_rng(0).uniform(-4, 4, (3, 1, 80, 16)).astype(np.float32)


def test_checkpoint_and_onnx_hear_the_same(tmp_path):
    """Either file of the same weights gives the same vectors."""
    encoder = AveEncoder().eval()
    torch.save(encoder.state_dict(), tmp_path / "encoder.pth")
    onnx.save(export_encoder(encoder), tmp_path / "encoder.onnx")
    first, second = (open_encoder(tmp_path / f"encoder.{suffix}")(MEL) for suffix in ("pth", "onnx"))
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)
    assert first.shape == (3, 512)


@pytest.mark.parametrize(("name", "error"), [("encoder.onnx", BadEncoder), ("encoder.pth", BadCheckpoint)])
def test_no_such_file(tmp_path, name, error):
    """A missing file is named, whatever its kind."""
    with pytest.raises(error, match=rf"{name}: expected .* got nothing there"):
        open_encoder(tmp_path / name)


def test_a_checkpoint_needs_torch(tmp_path, monkeypatch):
    """Without torch the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "export.network.audio_encoder", None)
    with pytest.raises(MissingExtra, match=r"this needs torch: pip install 'triton-lipsync\[export\]'"):
        open_encoder(tmp_path / "encoder.pth")


def test_weights_outside(tmp_path):
    """An encoder whose weights lie anywhere but beside it is refused before ONNX Runtime reads them."""
    model = onnx.load(AUDIO_ENCODER_PATH)
    onnx.save(
        model, tmp_path / "e.onnx", save_as_external_data=True, location="weights.bin", size_threshold=1024
    )
    open_encoder(tmp_path / "e.onnx")
    written = onnx.load(tmp_path / "e.onnx", load_external_data=False)
    for tensor in written.graph.initializer:
        for entry in tensor.external_data:
            entry.value = "../weights.bin" if entry.key == "location" else entry.value
    (tmp_path / "e.onnx").write_bytes(written.SerializeToString())
    with pytest.raises(BadEncoder, match=r"expected weights in files beside it, got '\.\./weights\.bin'"):
        open_encoder(tmp_path / "e.onnx")
