"""benchmarks/gpu/repository.py; served by the real Triton in test_main.py"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2 as schema

from benchmarks.gpu import engines, repository
from benchmarks.gpu.repository import BOTH, FACES, JPEGS, ONNXRUNTIME, TENSORRT, write_repository
from benchmarks.gpu.settings import CUDA, Settings
from tests.benchmarks.gpu.told import Told


@pytest.fixture
def site(settings: Settings) -> Settings:
    """The settings of a site with its avatar."""
    told = Told()
    repository.measure(settings, told)
    assert "The avatar 'half' was there after " in told.notes["served"][0]
    return settings


def config(folder: Path, model: str, strategy: str = "hybrid") -> schema.ModelConfig:
    path = folder / model / "configs" / f"{strategy}.pbtxt"
    path = path if path.is_file() else folder / model / "config.pbtxt"
    return text_format.Parse(path.read_text(), schema.ModelConfig())


def test_on_a_card(site: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime gets float16 weights on the card, and lookup and JPEG as many processes as there is room for."""
    monkeypatch.setattr(repository, "usable_cores", lambda: 16)
    folder = write_repository(replace(site, device=CUDA), Told(), ONNXRUNTIME, instances=4)
    network = config(folder, "half_unet")
    (group,) = network.instance_group
    assert (group.kind, list(group.gpus), group.count) == (schema.ModelInstanceGroup.KIND_GPU, [0], 4)
    model = onnx.load(folder / "half_unet" / "1" / network.default_model_filename)
    assert {item.data_type for item in model.graph.initializer if len(item.dims) == 4} == {
        TensorProto.FLOAT16
    }
    assert config(folder, "half_frames").instance_group[0].count == 2
    assert config(folder, "jpeg_encode").instance_group[0].count == 6


def test_engines(site: Settings, tensorrt: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT's engine serves batches and single frames, speech stays on ONNX Runtime, and the avatar as it was."""
    monkeypatch.setattr(engines, "gpu_name", lambda: "NVIDIA H200")
    weights = (site.folder / "avatars" / "half" / "unet_cpu.onnx").read_bytes()
    folder = write_repository(replace(site, device=CUDA), Told(), TENSORRT)
    for strategy, name in (("hybrid", "model.plan"), ("latency", "single.plan")):
        network = config(folder, "half_unet", strategy)
        assert (network.backend, network.default_model_filename) == ("tensorrt", name)
        assert (folder / "half_unet" / "1" / name).read_bytes().startswith(b'{"face": [[1, ')
    assert config(folder, "half_speech").backend == "onnxruntime"
    assert (site.folder / "avatars" / "half" / "unet_cpu.onnx").read_bytes() == weights


def test_variants(site: Settings) -> None:
    """A variant lies beside the usual repository, and is what it is called."""
    card = replace(site, device=CUDA)
    usual, faces, jpegs, both = (
        write_repository(card, Told(), ONNXRUNTIME, variant=name) for name in ("", FACES, JPEGS, BOTH)
    )
    assert len({usual, faces, jpegs, both}) == 4
    assert "face_id" in [tensor.name for tensor in config(faces, "half_unet").input]
    assert config(jpegs, "jpeg_encode").parameters["device"].string_value == "gpu"
    assert "face_id" in [tensor.name for tensor in config(both, "half_unet").input]
    assert config(both, "jpeg_encode").parameters["device"].string_value == "gpu"
    assert "device" not in config(usual, "jpeg_encode").parameters


def test_on_a_stand_in(site: Settings) -> None:
    """Without a card nothing asks for one."""
    folder = write_repository(site, Told(), ONNXRUNTIME)
    assert config(folder, "half_unet").default_model_filename == "model.onnx"
    assert "KIND_GPU" not in "".join(path.read_text() for path in folder.rglob("*.pbtxt"))
