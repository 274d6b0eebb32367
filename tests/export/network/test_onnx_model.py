"""export/network/onnx_model.py"""

import re

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from speech.contract import window_shape
from tests.export.conftest import NETWORKS, filled_state, published_networks
from tests.vectors import inputs

OPERATORS = {"Add", "Cast", "Concat", "Conv", "Div", "Mul", "Relu", "Resize", "Sigmoid", "Transpose"}


def run(model, outputs, faces, audio):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(outputs, {"face": faces, "audio": audio})


def expose(model, name):
    """Make a tensor inside the graph an output of it."""
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return model


@pytest.mark.parametrize("published", NETWORKS, indirect=True)
def test_export_matches_the_vectors(served, published):
    """In ONNX Runtime the full-width export gives the reference output within 1e-4, pictures within a level."""
    faces, audio = published.inputs()
    image, output = run(expose(served(*published.arguments), "output"), ["image", "output"], faces, audio)
    assert (image.shape, image.dtype) == (faces.shape, np.uint8)
    published.assert_output(output, image)


@pytest.mark.parametrize("published", NETWORKS, indirect=True)
def test_names_types_and_shapes(served, published):
    """uint8 pictures and float32 speech cross the border; only the batch is dynamic."""
    model = served(*published.arguments)
    tensors = {
        value.name: (
            value.type.tensor_type.elem_type,
            [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        for value in [*model.graph.input, *model.graph.output]
    }
    size = published.geometry.face_size
    assert tensors == {
        "face": (TensorProto.UINT8, ["batch", size, size, 3]),
        "audio": (TensorProto.FLOAT, ["batch", *window_shape(published.mode, published.window)]),
        "image": (TensorProto.UINT8, ["batch", size, size, 3]),
    }


@pytest.mark.parametrize(
    "arguments",
    [("ave", 0.5), *((one.arguments) for one in published_networks().values())],
    ids=lambda arguments: "-".join(str(getattr(one, "name", one)) for one in arguments),
)
def test_graph_is_plain(served, arguments):
    """Batch norm is folded; neither padding, shape arithmetic, slices nor anything foreign is left."""
    model = served(*arguments)
    assert {node.op_type for node in model.graph.node} == OPERATORS
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions


def test_nothing_of_this_machine_in_the_file(served):
    """The bytes beside the weights hold no path, no source line and no stack trace."""
    model = served()
    for initializer in model.graph.initializer:
        initializer.ClearField("raw_data")
    rest = model.SerializeToString()
    assert len(rest) < 200_000
    assert not re.search(rb"/\w+/|[A-Z]:\\\w|\.py|Traceback|\btorch\.|\bline \d", rest)


def test_weights_are_all_there(served):
    """The file is as large as its parameters: 3.1 million in float32 at half width."""
    assert 4 * 3.0e6 < len(served().SerializeToString()) < 4 * 3.3e6


def test_batches_of_any_size(served):
    """One file takes 1, 3 and 5 frames, and each frame's picture is its own."""
    faces, audio = inputs(5, salt=4)
    whole = run(served(), ["image"], faces, audio)[0].astype(int)
    for size in (1, 3):
        part = run(served(), ["image"], faces[:size], audio[:size])[0]
        assert np.abs(part - whole[:size]).max() <= 1


def test_network_is_left_as_it_was(served, network, state_shapes):
    """Exports, float16 ones too, leave the caller's network with its weights in float32."""
    served(precision="fp16")
    state = network().state_dict()
    expected = filled_state({key: state[key].shape for key in state_shapes["ave"]})
    for key, value in expected.items():
        assert state[key].dtype == value.dtype
        assert state[key].equal(value)


def test_half_precision(served):
    """A float16 export keeps uint8 and float32 at its borders, and every convolution's weights in float16."""
    model = served(precision="fp16")
    border = {
        value.name: value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]
    }
    assert border == {"face": TensorProto.UINT8, "audio": TensorProto.FLOAT, "image": TensorProto.UINT8}
    weights = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    types = {array.name: array.data_type for array in model.graph.initializer}
    assert {types[name] for name in weights} == {TensorProto.FLOAT16}
    assert len(model.SerializeToString()) < 2 * 3.3e6
