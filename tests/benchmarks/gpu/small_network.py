"""A network with the family's borders that takes a millisecond: what is tested are the steps, not the arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.network.borders import add_borders

__all__ = ["small_network"]


def small_network() -> ModelProto:
    """Return a served graph: one 1x1 convolution of face and masked face, shifted by the mean of the speech window."""
    weights = np.random.default_rng(5).normal(0.0, 0.5, (3, 6, 1, 1)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["mixed"]),
            helper.make_node("ReduceMean", ["audio", "axes"], ["mean"], keepdims=1),
            helper.make_node("Add", ["mixed", "mean"], ["sum"]),
            helper.make_node("Sigmoid", ["sum"], ["output"]),
        ],
        "small",
        [
            helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 6, 320, 320]),
            helper.make_tensor_value_info("audio", TensorProto.FLOAT, ["batch", 32, 16, 16]),
        ],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 3, 320, 320])],
        [
            numpy_helper.from_array(weights, "w"),
            numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return add_borders(model, Path("small.onnx"))
