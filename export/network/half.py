"""A float32 served graph in float16: weights and arithmetic; the borders stay uint8 and float32."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper

from export.errors import VerificationFailed
from export.network.rewrite.check import Probe, example_frame

__all__ = ["to_half"]

TOLERANCE = 3e-2
"""Greatest allowed difference of the network's output, on a scale of 0.0 to 1.0."""


def to_half(model: ModelProto) -> ModelProto:
    """Return a copy that computes in float16, checked against ``model`` on one frame.

    A graph that computes in float16 already is returned as it is.

    Raises:
        VerificationFailed: If the outputs differ by more than 3e-2, for example because values overflow.
    """
    half = ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    # a Resize keeps its scales, which the standard wants in float32
    scales = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
    changed = False
    for initializer in graph.initializer:
        if initializer.data_type == TensorProto.FLOAT and initializer.name not in scales:
            with np.errstate(over="ignore"):  # the check below finds what it does to the picture
                array = numpy_helper.to_array(initializer).astype(np.float16)
            initializer.CopyFrom(numpy_helper.from_array(array, initializer.name))
            changed = True
    if not changed:
        return model
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    del graph.value_info[:]
    _check(model, half)
    return half


def _check(model: ModelProto, half: ModelProto) -> None:
    frame = example_frame(model)
    outputs = [Probe(graph).run(frame)[1] for graph in (model, half)]
    difference = float(np.abs(outputs[0] - outputs[1]).max())
    if not difference <= TOLERANCE:  # "not" refuses NaN, too
        raise VerificationFailed(
            f"float16 changes the network by {difference:.2e} (tolerance {TOLERANCE:.0e})"
        )
