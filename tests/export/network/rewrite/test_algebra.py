"""export/network/rewrite/algebra.py"""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.network.rewrite.algebra import compose_projections, fold_stored_halves, split_concatenations
from export.network.rewrite.graph import Graph
from tests.export.network.rewrite.test_graph import conv, small_model

RNG = np.random.default_rng(5)
SCALES = np.array([1, 1, 2, 2])


def weights(*shape):
    return RNG.normal(size=shape)


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(6).normal(size=(2, 4, 8, 8)).astype(np.float32)
    return session.run(None, {"x": x})[0]


def rewritten(model, *rewritings):
    """Apply rewritings, check that the function is the same, and return the operators."""
    graph = Graph(model)
    for rewriting in rewritings:
        rewriting(graph)
    after = graph.model()
    np.testing.assert_allclose(run(after), run(model), atol=1e-5)
    return [node.op_type for node in after.graph.node]


def upsampled_pair(mode="linear"):
    """A 1x1 convolution of [up(x), other], as each stage of the decoder has one."""
    resize = helper.make_node(
        "Resize", ["x", "", "scales"], ["u"], mode=mode, coordinate_transformation_mode="align_corners"
    )
    if mode == "nearest":
        resize = helper.make_node("Resize", ["x", "", "scales"], ["u"], mode=mode)
    return small_model(
        resize,
        helper.make_node("Relu", ["u"], ["s"]),
        helper.make_node("Concat", ["u", "s"], ["c"], axis=1),
        conv("y", "c", "w", "b"),
        scales=SCALES,
        w=weights(6, 8, 1, 1),
        b=weights(6),
    )


def test_concatenation_becomes_a_sum():
    """W·[up(a), b] is up(V·a) + U·b: no Concat is left, and the numbers are the same."""
    operators = rewritten(upsampled_pair(), split_concatenations)
    assert "Concat" not in operators
    assert operators.count("Conv") == 2


def test_other_upsamplings_stay():
    """Only a bilinear upsampling is moved past the convolution."""
    assert "Concat" in rewritten(upsampled_pair("nearest"), split_concatenations)


@pytest.mark.parametrize("biases", [(), ("b",)])
def test_projection_to_more_channels_is_composed(biases):
    """A 1x1 convolution from 4 to 12 channels, read by two others, is multiplied into both."""
    model = small_model(
        conv("p", "x", "wide", *(() if not biases else ("wide_bias",))),
        conv("a", "p", "first", *biases),
        conv("d", "p", "second"),
        helper.make_node("Add", ["a", "d"], ["y"]),
        wide=weights(12, 4, 1, 1),
        wide_bias=weights(12),
        first=weights(5, 12, 1, 1),
        second=weights(5, 12, 1, 1),
        b=weights(5),
    )
    assert rewritten(model, compose_projections) == ["Conv", "Conv", "Add"]


def test_projection_with_another_reader_stays():
    """Where something else reads the channels too, they have to be computed anyway."""
    model = small_model(
        conv("p", "x", "wide"),
        helper.make_node("Relu", ["p"], ["r"]),
        conv("a", "p", "first"),
        helper.make_node("Add", ["a", "r"], ["y"]),
        wide=weights(12, 4, 1, 1),
        first=weights(12, 12, 1, 1),
    )
    assert rewritten(model, compose_projections) == ["Conv", "Relu", "Conv", "Add"]


def test_projection_to_fewer_channels_stays():
    """From 4 to 2 channels and on to 5 is less work in two steps."""
    model = small_model(
        conv("p", "x", "narrow"),
        conv("y", "p", "first"),
        narrow=weights(2, 4, 1, 1),
        first=weights(5, 2, 1, 1),
    )
    assert rewritten(model, compose_projections) == ["Conv", "Conv"]


def test_stored_halves():
    """A float16 weight behind a Cast becomes the float32 weight it was for."""
    model = small_model(
        helper.make_node("Cast", ["half"], ["w"], to=TensorProto.FLOAT),
        conv("y", "x", "w"),
    )
    model.graph.initializer.append(numpy_helper.from_array(weights(3, 4, 1, 1).astype(np.float16), "half"))
    assert rewritten(model, fold_stored_halves) == ["Conv"]
