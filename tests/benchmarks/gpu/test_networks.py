"""benchmarks/gpu/networks.py, and what benchmarks/site.py carries"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from benchmarks.errors import NotAvailable
from benchmarks.gpu.frames import clip_frames
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.settings import BadSetting, Settings
from export.network.compact import store_half
from tests.benchmarks.gpu.small_network import small_network


def weights(path: Path) -> set[int]:
    return {item.data_type for item in onnx.load(path).graph.initializer if len(item.dims) == 4}


def test_precisions(settings: Settings, tmp_path: Path) -> None:
    """A network that was carried with float16 weights has float32 ones in float32, and is made once."""
    site = replace(settings, site=str(tmp_path))
    onnx.save(store_half(small_network()), tmp_path / "half.onnx")
    full, half = (network_file(site, "half", precision) for precision in ("tf32", "fp16"))
    assert full == network_file(site, "half", "fp32")
    assert (weights(full), weights(half)) == ({TensorProto.FLOAT}, {TensorProto.FLOAT16})
    assert not any("cast" in node.name and "border" not in node.name for node in onnx.load(full).graph.node)
    made = half.stat().st_mtime_ns
    assert network_file(site, "half", "fp16").stat().st_mtime_ns == made


def test_the_demo_needs_no_carrying(settings: Settings, tmp_path: Path) -> None:
    """The demo's own network lies in the checkout."""
    path = network_file(replace(settings, site=str(tmp_path)), "demo", "fp16")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (picture,) = session.run(["image"], clip_frames(settings, 1))
    assert picture.shape == (1, 320, 320, 3)
    assert np.std(picture) > 10


def test_neither_carried_nor_to_be_made(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without PyTorch a random network has to be carried, and the sentence says so."""
    monkeypatch.setitem(sys.modules, "export.network.onnx_model", None)
    with pytest.raises(NotAvailable) as caught:
        network_file(replace(settings, site=str(tmp_path)), "wide", "fp16")
    assert str(caught.value) == (
        f"the network 'wide' is skipped: expected {tmp_path / 'wide.onnx'}, got no such file: "
        "carry what --prepare writes, or install torch"
    )


def test_an_unknown_precision(settings: Settings) -> None:
    """A precision that there is not is refused."""
    with pytest.raises(BadSetting, match=r"^precision: expected one of fp16, tf32, fp32, got int8$"):
        network_file(settings, "half", "int8")
