"""benchmarks/gpu/cost.py"""

import pytest
from onnx import TensorProto, helper

from benchmarks.errors import NotAvailable
from benchmarks.gpu.cost import cost_of, network_cost
from demo.weights import UNET_PATH


def convolution(dtype=TensorProto.FLOAT):
    """One 3x3 convolution of 2 groups, (B, 4, 8, 8) to (B, 6, 8, 8), and a ReLU."""
    weights = helper.make_tensor("w", dtype, [6, 2, 3, 3], [0.0] * 108)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], group=2, pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "one",
        [helper.make_tensor_value_info("x", dtype, ["batch", 4, 8, 8])],
        [helper.make_tensor_value_info("y", dtype, ["batch", 6, 8, 8])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize(("dtype", "size"), [(TensorProto.FLOAT, 4), (TensorProto.FLOAT16, 2)])
def test_a_convolution(dtype, size):
    """Arithmetic, activations, weights and borders are those of the formula; a ReLU moves nothing."""
    model = convolution(dtype)
    before = model.SerializeToString()
    cost = cost_of(model)
    assert cost.flop == 2 * (6 * 8 * 8) * (2 * 3 * 3)
    assert cost.activation_bytes == size * (4 + 6) * 8 * 8
    assert cost.weight_bytes == size * 108
    assert (cost.input_bytes, cost.output_bytes) == (size * 4 * 64, size * 6 * 64)
    assert model.SerializeToString() == before


def test_a_served_network():
    """The demo's network has the arithmetic of half width, and borders of a face, its window and a picture."""
    cost = network_cost(UNET_PATH)
    assert cost.flop == pytest.approx(2.64e9, rel=0.01)
    assert (cost.input_bytes, cost.output_bytes) == (320 * 320 * 3 + 4 * 32 * 16 * 16, 320 * 320 * 3)
    assert cost.weight_bytes == pytest.approx(4 * 3.1e6, rel=0.05)


def test_a_shape_that_cannot_be_inferred():
    """A tensor of unknown shape is named."""
    model = convolution()
    model.graph.node[0].op_type = "Unknown"
    model.graph.node[0].domain = "elsewhere"
    model.graph.node.append(helper.make_node("Concat", ["c", "c"], ["d"], axis=1))
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    with pytest.raises(NotAvailable, match="expected a shape of every tensor, got none of 'd'"):
        cost_of(model)
