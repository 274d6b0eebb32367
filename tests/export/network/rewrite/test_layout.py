"""export/network/rewrite/layout.py"""

import numpy as np
import pytest
from onnx import helper

from export.network.rewrite import layout
from export.network.rewrite.graph import Graph
from export.network.rewrite.layout import (
    BLOCK_CHANNELS,
    group_hidden_channels,
    move_sigmoid_last,
    pad_channels,
)
from tests.export.network.rewrite.test_algebra import rewritten, weights
from tests.export.network.rewrite.test_graph import conv, small_model


def inverted_residual(hidden, added="q"):
    """1x1 to ``hidden`` channels, 3x3 of each alone, 1x1 back, and something of 4 channels added."""
    return small_model(
        conv("q", "x", "project_x"),
        conv("e", "x", "expand", "expand_bias"),
        helper.make_node("Relu", ["e"], ["er"]),
        conv("d", "er", "depthwise", "depthwise_bias", group=hidden, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["d"], ["dr"]),
        conv("p", "dr", "project", "project_bias"),
        helper.make_node("Add", [added, "p"], ["s"]),
        conv("o", "s", "out"),
        helper.make_node("Sigmoid", ["o"], ["y"]),
        project_x=weights(4, 4, 1, 1),
        expand=weights(hidden, 4, 1, 1),
        expand_bias=weights(hidden),
        depthwise=weights(hidden, 1, 3, 3),
        depthwise_bias=weights(hidden),
        project=weights(4, hidden, 1, 1),
        project_bias=weights(4),
        out=weights(3, 4, 1, 1),
    )


def convolution_shapes(model, *rewritings):
    graph = Graph(model)
    for rewriting in rewritings:
        rewriting(graph)
    return [graph.weights[node.input[1]].shape for node in graph.nodes if node.op_type == "Conv"]


def test_channels_are_padded():
    """Twelve hidden channels and the four they come back to become a block of 16 each; the three that leave stay."""
    model = inverted_residual(12)
    assert rewritten(model, pad_channels).count("Conv") == 5
    shapes = convolution_shapes(model, pad_channels)
    assert shapes == [(16, 4, 1, 1), (16, 4, 1, 1), (16, 1, 3, 3), (16, 16, 1, 1), (3, 16, 1, 1)]


def test_no_padding_that_does_not_fit():
    """What is added to the graph's own input cannot be padded, so nothing is."""
    model = inverted_residual(12, added="x")
    rewritten(model, pad_channels)
    assert convolution_shapes(model, pad_channels) == convolution_shapes(model)[1:]  # the first is unused


@pytest.mark.parametrize(("limit", "parts"), [(0, 3), (48 * 8 * 8 * 4, 1)])
def test_wide_blocks_run_in_parts(monkeypatch, limit, parts):
    """A hidden map larger than the cache's share is computed a block of channels at a time, a smaller one at once."""
    monkeypatch.setattr(layout, "CACHED_BYTES", limit)
    model = inverted_residual(3 * BLOCK_CHANNELS)
    operators = rewritten(model, group_hidden_channels)
    assert operators.count("Relu") == 2 * parts
    assert operators.count("Add") == parts  # one is the residual's


def test_sigmoid_comes_last():
    """The sigmoid follows the transposition instead of preceding it."""
    model = small_model(
        conv("o", "x", "w"),
        helper.make_node("Sigmoid", ["o"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["m"]),
        helper.make_node("Transpose", ["m"], ["y"], perm=[0, 2, 3, 1]),
        w=weights(3, 4, 1, 1),
        scale=np.float32(255),
    )
    assert rewritten(model, move_sigmoid_last) == ["Conv", "Transpose", "Sigmoid", "Mul"]


def test_a_read_sigmoid_stays():
    """A sigmoid that is read elsewhere as well stays where it is."""
    model = small_model(
        conv("o", "x", "w"),
        helper.make_node("Sigmoid", ["o"], ["s"]),
        helper.make_node("Mul", ["s", "scale"], ["m"]),
        helper.make_node("Transpose", ["m"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Transpose", ["s"], ["u"], perm=[0, 2, 3, 1]),
        helper.make_node("Add", ["t", "u"], ["y"]),
        w=weights(3, 4, 1, 1),
        scale=np.float32(255),
    )
    assert rewritten(model, move_sigmoid_last)[1] == "Sigmoid"
