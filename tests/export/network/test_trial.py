"""export/network/trial.py: networks that others exported, and that no graph of ours is like."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.errors import BadModel
from export.network.adopted import adopt

FIRST_THREE = helper.make_node("Gather", ["input", "indices"], ["output"], axis=1)


def bare(nodes=(FIRST_THREE,), opset=18, **weights):
    """Return a network that gives the picture it takes, or what other nodes make of it."""
    constants = {"indices": np.array([0, 1, 2]), **weights}
    graph = helper.make_graph(
        list(nodes),
        "g",
        [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 6, 320, 320]),
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 32, 16, 16]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3, 320, 320])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def served(image_type=TensorProto.UINT8, side=320, node="Identity"):
    """Return a graph with our borders."""
    graph = helper.make_graph(
        [helper.make_node(node, ["face"], ["image"])],
        "g",
        [
            helper.make_tensor_value_info("face", TensorProto.UINT8, ["batch", 320, 320, 3]),
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 32, 16, 16]),
        ],
        [helper.make_tensor_value_info("image", image_type, ["batch", side, 320, 3])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def refusal(model, path):
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadModel) as caught:
        adopt(path, None)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: expected ")


@pytest.mark.parametrize("model", [bare(), served()])
def test_networks_that_can_be_served(model, tmp_path):
    """A network that gives a picture is taken."""
    onnx.save(model, tmp_path / "a.onnx")
    assert adopt(tmp_path / "a.onnx", None).graph.output[0].name == "image"


def test_a_network_that_grows(tmp_path):
    """A few bytes that make a tensor of gigabytes are refused before it is made."""
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("Gather", ["input", "indices"], ["three"], axis=1),
        helper.make_node("Add", ["three", "sum"], ["output"]),
    ]
    said = refusal(bare(nodes, size=np.array([1 << 20, 1 << 16])), tmp_path / "a.onnx")
    assert said == "tensors of up to 67108864 numbers a frame, got huge of shape [1048576, 65536]"


def test_networks_that_cannot_run(tmp_path):
    """What ONNX Runtime cannot load or run, and shapes that do not fit, are each a sentence."""
    said = refusal(bare(indices=np.array([0, 1, 900])), tmp_path / "a.onnx")
    assert said.startswith("a network that ONNX Runtime can run, got one of which it says: ")
    said = refusal(bare(opset=999), tmp_path / "a.onnx")
    assert said.startswith("a network that ONNX Runtime can run, got one of which it says: ")
    halves = [helper.make_node("Reshape", ["input", "shape"], ["output"])]
    said = refusal(bare(halves, shape=np.array([-1, 3, 320, 320])), tmp_path / "a.onnx")
    assert said.startswith("a network whose shapes fit one another, got one of which ONNX says: ")


def test_weights_of_no_type(tmp_path):
    """Weights of a type that does not exist are refused."""
    model = bare()
    model.graph.initializer[0].data_type = 99
    refusal(model, tmp_path / "a.onnx")


@pytest.mark.parametrize("model", [served(image_type=TensorProto.FLOAT), served(side=160)])
def test_borders_that_are_not_ours(model, tmp_path):
    """A graph whose tensors are called like ours has to have them."""
    said = refusal(model, tmp_path / "a.onnx")
    assert said.startswith("face and image uint8 of one size, audio float32, got face ['batch', 320, 320, 3]")
