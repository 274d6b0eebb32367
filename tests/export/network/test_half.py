"""export/network/half.py"""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from export.errors import VerificationFailed
from export.network.half import to_half
from export.network.rewrite.check import Probe
from export.network.verify import example_inputs


def test_weights_and_arithmetic_are_halved(served, network):
    """Every weight is float16, inputs and output keep their types, and the output is within a hundredth."""
    model = served()
    half = to_half(model)
    kinds = {item.data_type for item in half.graph.initializer if item.dims and item.dims[0] > 4}
    assert kinds == {TensorProto.FLOAT16}
    assert [value.type for value in half.graph.input] == [value.type for value in model.graph.input]
    onnx.checker.check_model(half, full_check=True)
    inputs = example_inputs(network(), 1)
    np.testing.assert_allclose(Probe(half).run(inputs)[1], Probe(model).run(inputs)[1], atol=1e-2)


def test_float16_stays(served):
    """A graph that computes in float16 is returned as it is."""
    model = served(precision="fp16")
    assert to_half(model) is model


def test_overflow_is_refused(served):
    """Weights beyond what float16 holds are refused with the difference."""
    model = served()
    weight = next(item for item in model.graph.initializer if len(item.dims) == 4)
    values = numpy_helper.to_array(weight) + np.float32(1e6)
    weight.CopyFrom(numpy_helper.from_array(values.astype(np.float32), weight.name))
    with pytest.raises(VerificationFailed, match=r"^float16 changes the network by "):
        to_half(model)
