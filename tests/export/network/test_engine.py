"""export/network/engine.py"""

import sys
from types import SimpleNamespace

import pytest
import tensorrt_rtx
from onnx import TensorProto, helper

from export.contract import UNET_160
from export.errors import EngineFailed, MissingExtra
from export.network.engine import BatchProfile, build_engine, load_tensorrt


def one_node(operator, dtype=TensorProto.FLOAT):
    tensors = [helper.make_tensor_value_info(name, dtype, ["batch", 4, 4, 3]) for name in ("face", "image")]
    graph = helper.make_graph(
        [helper.make_node(operator, ["face"], ["image"])], "one", tensors[:1], tensors[1:]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(
    ("arguments", "size", "window"),
    [(("ave", 0.5), 320, (32, 16, 16)), (("hubert", 0.5, UNET_160, 8), 160, (16, 32, 32))],
    ids=["U-Net 328", "U-Net 160"],
)
def test_engine_of_a_real_network(served, arguments, size, window):
    """TensorRT for RTX builds a whole plan of a half-width network for batches of 1 to 16, without a GPU."""
    builders = []

    class Builder(tensorrt_rtx.Builder):
        def create_optimization_profile(self):
            self.profile = super().create_optimization_profile()
            builders.append(self)
            return self.profile

    plan = build_engine(
        served(*arguments), BatchProfile(), trt=SimpleNamespace(**{**vars(tensorrt_rtx), "Builder": Builder})
    )
    assert len(plan) > 4 * 3.0e6  # every weight in float32
    shapes = {
        name: [tuple(shape) for shape in builders[0].profile.get_shape(name)] for name in ("face", "audio")
    }
    assert shapes == {
        "face": [(batch, size, size, 3) for batch in (1, 8, 16)],
        "audio": [(batch, *window) for batch in (1, 8, 16)],
    }


def test_profile_defaults():
    """An engine is for 1 to 16 frames, best at 8."""
    assert (BatchProfile().minimum, BatchProfile().optimum, BatchProfile().maximum) == (1, 8, 16)


def test_what_cannot_be_parsed():
    """A graph with an operator that TensorRT does not know is refused in TensorRT's words."""
    with pytest.raises(EngineFailed) as caught:
        build_engine(one_node("Nonsense"), BatchProfile())
    assert str(caught.value).startswith("TensorRT cannot parse the network: ")
    assert "Plugin not found" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_built():
    """A profile whose greatest batch is below its smallest is refused in TensorRT's words."""
    with pytest.raises(EngineFailed, match=r"^TensorRT cannot build the engine: .*optimization profile"):
        build_engine(one_node("Relu"), BatchProfile(8, 1, 1))


def test_uint8_needs_a_cast():
    """TensorRT computes nothing in uint8: the reason why the borders cast first and last."""
    with pytest.raises(EngineFailed, match="UINT8"):
        build_engine(one_node("Relu", TensorProto.UINT8), BatchProfile())


def test_full_tensorrt_comes_first(monkeypatch):
    """Where both are installed, the container's own TensorRT is taken."""
    stand_in = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "tensorrt", stand_in)
    assert load_tensorrt() is stand_in


def test_rtx_is_taken_alone(monkeypatch):
    """Without the full TensorRT, TensorRT for RTX is taken."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert load_tensorrt() is tensorrt_rtx


def test_no_tensorrt(monkeypatch):
    """Without either, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(MissingExtra) as caught:
        load_tensorrt()
    assert str(caught.value) == (
        "this needs tensorrt or tensorrt_rtx: pip install 'triton-lipsync[tensorrt]'"
    )


def test_rtx_is_given_no_timing_cache(tmp_path, monkeypatch):
    """TensorRT for RTX measures where the engine runs: a timing cache is neither asked of it nor written."""
    asked = []
    monkeypatch.setattr("export.network.engine._read_timings", lambda config, path: asked.append(path))
    monkeypatch.setattr("export.network.engine._write_timings", lambda config, path: asked.append(path))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert build_engine(one_node("Relu"), BatchProfile(), tmp_path / "timing.cache")
    assert asked == []
