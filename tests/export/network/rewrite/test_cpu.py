"""export/network/rewrite/cpu.py"""

import numpy as np
import pytest

from export.contract import UNET_160
from export.network.compact import store_half
from export.network.rewrite import rewrite_for_cpu
from export.network.rewrite.check import Probe
from export.network.verify import example_inputs


def operators(model):
    return [node.op_type for node in model.graph.node]


def multiplications(model):
    """Count a network's multiply-adds in its 1x1 convolutions, from weights and the shapes the graph states."""
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in model.graph.value_info
    }
    weights = {item.name: list(item.dims) for item in model.graph.initializer}
    return sum(
        np.prod(weights[node.input[1]]) * np.prod(shapes[node.output[0]][2:])
        for node in model.graph.node
        if node.op_type == "Conv" and weights[node.input[1]][2:] == [1, 1] and node.output[0] in shapes
    )


@pytest.mark.parametrize(
    "arguments",
    [("ave", 0.5), ("ave", 1.0), ("wenet", 0.5), ("hubert", 1.0, UNET_160, 8), ("wenet", 0.5, UNET_160, 8)],
    ids=lambda arguments: "-".join(str(getattr(one, "name", one)) for one in arguments),
)
def test_the_same_function(served, network, arguments):
    """The rewritten graph gives the network's output within 2e-5, at one frame and at three."""
    model = served(*arguments)
    probes = [Probe(model), Probe(rewrite_for_cpu(model))]
    for batch_size in (1, 3):
        (image, output), (other_image, other_output) = (
            probe.run(example_inputs(network(*arguments), batch_size)) for probe in probes
        )
        np.testing.assert_allclose(other_output, output, atol=2e-5)
        assert np.abs(other_image.astype(int) - image.astype(int)).max() <= 1


def test_less_work(served):
    """Two concatenations remain (the face's and the waist's), and at least 15 % of the multiplications are gone."""
    model = served("ave", 1.0)
    rewritten = rewrite_for_cpu(model)
    assert operators(model).count("Concat") == 7
    assert operators(rewritten).count("Concat") == 2
    assert multiplications(rewritten) < 0.85 * multiplications(model)


def test_the_model_is_left_as_it_is(served):
    """Rewriting makes a copy."""
    model = served()
    rewrite_for_cpu(model)
    assert model == served()


def test_half_stored_weights(served):
    """A file with float16 weights and Casts becomes the same graph of float32 weights as one without."""
    rewritten = rewrite_for_cpu(store_half(served()))
    assert operators(rewritten) == operators(rewrite_for_cpu(served()))


def test_float16_is_for_gpus(served):
    """A float16 network is returned as it is."""
    model = served(precision="fp16")
    assert rewrite_for_cpu(model) is model


def test_other_borders(served):
    """A graph that this project did not give its borders is returned as it is."""
    model = served()
    for node in model.graph.node:
        node.name = f"my_{node.name}"
    assert rewrite_for_cpu(model) is model
