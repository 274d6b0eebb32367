"""export/network/onnx_file.py"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import BadModel
from export.network import onnx_file
from export.network.onnx_file import read_onnx


@pytest.fixture
def model():
    """A model of one addition, with 4 KB of weights."""
    weights = numpy_helper.from_array(np.arange(1024, dtype=np.float32), "w")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1024]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def refusal(path):
    with pytest.raises(BadModel) as caught:
        read_onnx(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{caught.value.path}: expected ")


def beside(model, path, **changed):
    """Write the model with its weights beside it, and change what it says of them."""
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    written = onnx.load(path, load_external_data=False)
    for entry in written.graph.initializer[0].external_data:
        entry.value = changed.get(entry.key, entry.value)
    path.write_bytes(written.SerializeToString())


def test_weights_beside_it(model, tmp_path):
    """Weights come from the file itself, or from one that lies beside it."""
    onnx.save(model, tmp_path / "a.onnx")
    alone = read_onnx(tmp_path / "a.onnx")
    beside(model, tmp_path / "b.onnx")
    for read in (alone, read_onnx(tmp_path / "b.onnx")):
        np.testing.assert_array_equal(numpy_helper.to_array(read.graph.initializer[0]), np.arange(1024))


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "..", "", "a/weights.bin"])
def test_weights_elsewhere(model, tmp_path, location):
    """Weights that lie anywhere but beside the file are refused."""
    beside(model, tmp_path / "a.onnx", location=location)
    assert refusal(tmp_path / "a.onnx") == f"weights in files beside it, got {location!r}"


def test_weights_behind_a_link(model, tmp_path):
    """A link beside the file may lead anywhere, and is refused."""
    beside(model, tmp_path / "a.onnx")
    (tmp_path / "weights.bin").rename(tmp_path / "other.bin")
    (tmp_path / "weights.bin").symlink_to("other.bin")
    assert refusal(tmp_path / "a.onnx") == "weights in files beside it, got 'weights.bin'"


@pytest.mark.parametrize(
    "changed", [{"length": "99999"}, {"length": "x"}, {"offset": "-5"}, {"offset": "4000"}]
)
def test_weights_that_are_not_there(model, tmp_path, changed):
    """A length or an offset that the weights' file has not is refused in a sentence."""
    beside(model, tmp_path / "a.onnx", **changed)
    refusal(tmp_path / "a.onnx")


def test_a_large_file(model, tmp_path, monkeypatch):
    """A file, or the weights beside it, of more than the bound are refused."""
    monkeypatch.setattr(onnx_file, "MODEL_BYTES", 4000)
    onnx.save(model, tmp_path / "a.onnx")
    assert refusal(tmp_path / "a.onnx").startswith("a file of up to 4000 bytes, got ")
    beside(model, tmp_path / "b.onnx")
    assert refusal(tmp_path / "b.onnx") == "a file of up to 4000 bytes, got 4096 bytes"
