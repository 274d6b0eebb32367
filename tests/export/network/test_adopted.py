"""export/network/adopted.py"""

import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from export.contract import UNET_160
from export.errors import BadMode, BadModel
from export.network.adopted import adopt, kinds_of_model
from export.network.kinds import Kind
from export.network.weights import load_served_model


def refusal(error, path, mode="ave"):
    with pytest.raises(error) as caught:
        adopt(path, mode)
    start, sentence = str(caught.value).split(": ", 1)
    assert start == str(path)
    return sentence


class Padding(torch.nn.Module):
    """A network as it is published: each upsampling is padded to its skip's size, by nothing."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, faces, audio):
        """Run the network on faces that were padded by nothing."""
        none = faces.shape[2] - faces.shape[3]
        return self.network(torch.nn.functional.pad(faces, [none // 2, none - none // 2, 0, 0]), audio)


@pytest.fixture(scope="session")
def single_onnx(network, tmp_path_factory):
    """A U-Net 160 as its repository exports it: with the older exporter, for a batch of one frame."""
    path = tmp_path_factory.mktemp("single") / "unet.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its older exporter deprecated
        torch.onnx.export(
            Padding(network("hubert", 0.5, UNET_160, 8)).eval(),
            (torch.zeros(1, 6, 160, 160), torch.zeros(1, 16, 32, 32)),
            str(path),
            input_names=["input", "audio"],
            output_names=["output"],
            opset_version=11,
            dynamo=False,
        )
    return path


def test_an_export_for_one_frame(single_onnx, served):
    """A graph of batch 1 takes any batch once adopted, and gives what our own export of its weights does."""
    assert onnx.load(single_onnx).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1
    assert kinds_of_model(single_onnx) == (Kind(UNET_160, "hubert", 8),)
    rng = np.random.default_rng(3)
    inputs = {
        "face": rng.integers(0, 256, (3, 160, 160, 3), dtype=np.uint8),
        "audio": rng.normal(size=(3, 16, 32, 32)).astype(np.float32),
    }
    adopted, own = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(["image"], inputs)[0]
        for model in (adopt(single_onnx, None), served("hubert", 0.5, UNET_160, 8))
    )
    assert np.abs(adopted.astype(int) - own.astype(int)).max() <= 1


def test_a_graph_that_takes_one_frame_only(single_onnx, tmp_path):
    """A graph with a reshape to one frame inside is refused, not served wrong."""
    model = onnx.load(single_onnx)
    last = next(node for node in model.graph.node if "output" in node.output)
    last.output[0] = "inner"
    shape = numpy_helper.from_array(np.array([1, 3, 160, 160]), "one")
    model.graph.initializer.append(shape)
    model.graph.node.append(onnx.helper.make_node("Reshape", ["inner", "one"], ["output"]))
    onnx.save(model, tmp_path / "a.onnx")
    assert refusal(BadModel, tmp_path / "a.onnx", None) == (
        "expected a network whose batch can vary (export it with a dynamic first axis), "
        "got one that takes one frame only"
    )


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_weights_that_are_not_finite(bare_onnx, tmp_path, odd):
    """NaN or infinity in a graph's weights is refused by name of the first tensor that has one."""
    model = onnx.load(bare_onnx)
    initializer = model.graph.initializer[3]
    values = numpy_helper.to_array(initializer).copy()
    values.flat[1] = odd
    initializer.CopyFrom(numpy_helper.from_array(values, initializer.name))
    onnx.save(model, tmp_path / "a.onnx")
    assert refusal(BadModel, tmp_path / "a.onnx") == (
        f"expected finite weights, got 1 of {values.size} NaN or infinite in {initializer.name}"
    )


@pytest.mark.parametrize("mode", ["hubert", "wenet"])
def test_another_mode(bare_onnx, mode):
    """A network that hears other features than those that were named is refused with both."""
    assert (
        refusal(BadMode, bare_onnx, mode) == f"expected weights for {mode} features, got a U-Net 328 for ave"
    )


def test_shapes_that_do_not_fit(bare_onnx, tmp_path):
    """A graph whose shapes do not fit its inputs is refused in one line."""
    model = onnx.load(bare_onnx)
    model.graph.input[1].type.tensor_type.shape.dim[2].dim_value = 18
    onnx.save(model, tmp_path / "a.onnx")
    assert refusal(BadModel, tmp_path / "a.onnx").startswith(
        "expected a network whose shapes fit one another, got one of which ONNX says: [ShapeInferenceError] "
    )


def test_another_window(served, tmp_path):
    """A window that is none of a published network's is refused with its shape."""
    model = served()
    model.graph.input[1].type.tensor_type.shape.dim[2].dim_value = 17
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(BadModel) as caught:
        kinds_of_model(tmp_path / "a.onnx")
    assert str(caught.value).endswith("(128, 16, 32), got (32, 17, 16)")


@pytest.mark.parametrize("kept", [0, 5000], ids=["empty", "cut"])
def test_no_whole_onnx(bare_onnx, tmp_path, kept):
    """An empty or cut ONNX file is refused in one line that names it."""
    path = tmp_path / "a.onnx"
    path.write_bytes(bare_onnx.read_bytes()[:kept])
    with pytest.raises(BadModel) as caught:
        load_served_model(path, "ave", "fp32")
    assert str(caught.value).startswith(f"{path}: expected a whole ONNX file, got bytes that are none (")
    assert "\n" not in str(caught.value)


def test_another_onnx_network(bare_onnx, tmp_path):
    """An ONNX file with other inputs is refused with their names."""
    model = onnx.load(bare_onnx)
    model.graph.input[0].name = "x"
    model.graph.node.insert(0, onnx.helper.make_node("Identity", ["x"], ["input"]))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(BadModel) as caught:
        load_served_model(tmp_path / "a.onnx", "ave", "fp32")
    expected = "the inputs and output input, audio, output"
    assert str(caught.value) == f"{tmp_path / 'a.onnx'}: expected {expected}, got x, audio, output"
