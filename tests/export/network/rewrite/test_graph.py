"""export/network/rewrite/graph.py"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.network.rewrite.graph import Graph, attributes, is_depthwise, is_pointwise


def small_model(*nodes, **weights):
    """Return a model from ``x`` (batch, 4, 8, 8) to ``y``."""
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", None, None, None]) for name in "xy"
    ]
    tensors[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, 8, 8])
    initializers = [
        numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()
    ]
    graph = helper.make_graph(list(nodes), "small", tensors[:1], tensors[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def conv(name, *inputs, **options):
    return helper.make_node("Conv", list(inputs), [name], name, **options)


def test_attributes():
    """Attributes come as Python values."""
    assert attributes(conv("y", "x", "w", group=2, pads=[1, 1, 1, 1])) == {"group": 2, "pads": [1, 1, 1, 1]}


@pytest.mark.parametrize(
    ("shape", "options", "pointwise", "depthwise"),
    [
        ((8, 4, 1, 1), {}, True, False),
        ((8, 4, 1, 1), {"strides": [2, 2]}, False, False),
        ((4, 1, 3, 3), {"group": 4}, False, True),
        ((8, 4, 3, 3), {}, False, False),
    ],
)
def test_kinds_of_convolution(shape, options, pointwise, depthwise):
    """1x1 over all channels at stride 1, each channel alone, and neither are told apart."""
    node, weights = conv("y", "x", "w", **options), {"w": np.zeros(shape)}
    assert (is_pointwise(node, weights), is_depthwise(node, weights)) == (pointwise, depthwise)


def test_computed_weights_are_no_pattern():
    """A convolution whose weights are computed is left alone."""
    assert not is_pointwise(conv("y", "x", "w"), {})
    assert not is_depthwise(conv("y", "x", "w"), {})


def test_edit_and_close():
    """Replaced nodes give the old output; what nobody reads any more is gone; shapes have the batch axis's name."""
    w = np.ones((4, 4, 1, 1), np.float32)
    graph = Graph(
        small_model(conv("a", "x", "w"), conv("b", "a", "w"), helper.make_node("Relu", ["b"], ["y"]), w=w)
    )
    first, second = graph.nodes[:2]
    assert [user.name for user in graph.users()["a"]] == ["b"]
    assert graph.producers()["b"] is second
    added = graph.make("Conv", ["x", graph.add_weight("v", 2 * w)], "new")
    graph.replace(second, [added])
    model = graph.model()
    assert [list(node.output) for node in model.graph.node] == [["b"], ["y"]]
    assert len(model.graph.initializer) == 1
    assert first.output[0] == "a"
    (value,) = model.graph.value_info
    assert [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim] == ["batch", 4, 8, 8]
    onnx.checker.check_model(model, full_check=True)


def test_output_counts_as_a_user():
    """A tensor that leaves the graph has a user, so nothing is folded into its reader."""
    graph = Graph(small_model(conv("y", "x", "w"), w=np.ones((4, 4, 1, 1))))
    assert [user.op_type for user in graph.users()["y"]] == [""]
