"""benchmarks/gpu/onnx_engine.py, with a stand-in for ONNX Runtime's builds for CUDA"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu.frames import clip_frames, repeated
from benchmarks.gpu.libraries import ORT_CPU, ORT_CUDA, ORT_TENSORRT
from benchmarks.gpu.networks import network_file
from benchmarks.gpu.onnx_engine import OnnxEngine, providers_of
from benchmarks.gpu.settings import Settings


class CudaBuild:
    """ONNX Runtime as its package for CUDA looks from outside: providers are accepted, and run on the CPU."""

    SessionOptions, RunOptions = onnxruntime.SessionOptions, onnxruntime.RunOptions

    def __init__(self, falls_back: bool = False) -> None:
        self.asked: list[Any] = []
        self.falls_back = falls_back
        self.OrtValue = SimpleNamespace(
            ortvalue_from_numpy=lambda array, kind, index: self._value("from_numpy", kind, array),
            ortvalue_from_shape_and_type=lambda shape, dtype, kind, index: self._value(
                "from_shape_and_type", kind, shape, dtype
            ),
        )
        self.kinds: list[str] = []

    def InferenceSession(self, path: str, options: Any = None, providers: Any = ()) -> Any:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [provider if isinstance(provider, str) else provider[0] for provider in providers]
        self.asked.append(dict(provider for provider in providers if not isinstance(provider, str)))
        session.get_providers = lambda: names[1:] if self.falls_back else names
        return session

    def _value(self, how: str, kind: str, *arguments: Any) -> Any:
        self.kinds.append(kind)
        return getattr(onnxruntime.OrtValue, f"ortvalue_{how}")(*arguments, "cpu", 0)


@pytest.fixture
def path(settings: Settings) -> Path:
    return network_file(settings, settings.avatar, "fp32")


@pytest.mark.parametrize("graph", [False, True])
def test_pictures(settings: Settings, path: Path, tmp_path: Path, graph: bool) -> None:
    """What is bound on a card gives the pictures of a plain session, whatever batches come in whatever order."""
    build = CudaBuild()
    engine = OnnxEngine(path, ORT_CUDA, "tf32", 2, tmp_path, build)  # type: ignore[arg-type]
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    frames = clip_frames(settings, 2)
    for batch_size in (2, 1):
        feed = repeated(frames, batch_size)
        runner = engine.runner(batch_size, graph)
        np.testing.assert_array_equal(runner.run(feed), plain.run(["image"], feed)[0])
        runner.compute()
    assert set(build.kinds) == {"cuda"}
    assert [options["CUDAExecutionProvider"]["enable_cuda_graph"] for options in build.asked] == [
        str(int(graph))
    ]


def test_on_the_cpu(settings: Settings, path: Path, tmp_path: Path) -> None:
    """On a CPU there are no graphs, and the pictures are the plain session's."""
    engine = OnnxEngine(path, ORT_CPU, "fp32", 2, tmp_path)
    assert not engine.has_graphs
    feed = clip_frames(settings, 1)
    plain = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(engine.runner(1, graph=False).run(feed), plain.run(["image"], feed)[0])


def test_a_silent_fallback_is_refused(path: Path, tmp_path: Path) -> None:
    """ONNX Runtime goes on with the CPU where its CUDA libraries do not load; that is not what was asked for."""
    engine = OnnxEngine(path, ORT_CUDA, "fp16", 2, tmp_path, CudaBuild(falls_back=True))  # type: ignore[arg-type]
    with pytest.raises(NotAvailable) as caught:
        engine.runner(1, graph=False)
    assert str(caught.value) == (
        "onnxruntime-cuda is skipped: expected ONNX Runtime to use CUDAExecutionProvider, got CPUExecutionProvider: "
        "its libraries did not load, see log.txt"
    )


@pytest.mark.parametrize(("precision", "allowed"), [("fp16", "1"), ("tf32", "1"), ("fp32", "0")])
def test_tensor_float_32_is_an_option(path: Path, tmp_path: Path, precision: str, allowed: str) -> None:
    """Only ``fp32`` forbids multiplying float32 as TensorFloat-32."""
    cuda, cpu = providers_of(ORT_CUDA, precision, 2, tmp_path, True, onnxruntime, path)
    assert cuda[1] == {"device_id": "0", "use_tf32": allowed, "enable_cuda_graph": "1"}
    assert cpu == "CPUExecutionProvider"


def test_tensorrt_as_a_provider(path: Path, tmp_path: Path) -> None:
    """One engine is built for all batches, kept beside the plans, and recorded by TensorRT's provider alone."""
    providers = providers_of(ORT_TENSORRT, "fp16", 64, tmp_path / "cache", True, onnxruntime, path)
    name, options = providers[0]
    assert name == "TensorrtExecutionProvider"
    assert options["trt_profile_min_shapes"] == "face:1x320x320x3,audio:1x32x16x16"
    assert options["trt_profile_opt_shapes"] == "face:16x320x320x3,audio:16x32x16x16"
    assert options["trt_profile_max_shapes"] == "face:64x320x320x3,audio:64x32x16x16"
    assert (options["trt_fp16_enable"], options["trt_cuda_graph_enable"]) == ("1", "1")
    assert (tmp_path / "cache").is_dir()
    assert providers[1][1]["enable_cuda_graph"] == "0"
