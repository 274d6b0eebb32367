"""export/network/borders.py"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from export.contract import UNET_328
from export.errors import BadModel
from export.network.borders import add_borders, has_borders, mouth_mask, tensor_shapes

PATH = Path("checkpoint/model_best.onnx")
AUDIO_SHAPE = (32, 16, 16)


def bare_model(nodes, initializers=(), dtype=TensorProto.FLOAT, **shapes):
    """Return a stand-in of a network: ``input`` and ``audio`` to ``output``."""
    shapes = {"input": (6, 320, 320), "audio": AUDIO_SHAPE, "output": (3, 320, 320), **shapes}
    tensors = [helper.make_tensor_value_info(name, dtype, ["n", *shape]) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "network", tensors[:-1], tensors[-1:], list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def channels(first):
    """Return a network whose output is three of its input's channels."""
    ranges = {"start": [first], "end": [first + 3], "axis": [1]}
    initializers = [onnx.numpy_helper.from_array(np.array(value), name) for name, value in ranges.items()]
    return bare_model([helper.make_node("Slice", ["input", *ranges], ["output"])], initializers)


def run(model, faces, audio=None):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    audio = np.zeros((len(faces), *AUDIO_SHAPE), np.float32) if audio is None else audio
    return session.run(["image"], {"face": faces, "audio": audio})[0]


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(2).integers(0, 256, (3, 320, 320, 3), dtype=np.uint8)


def levels(faces):
    """What a level comes back as after / 255 and * 255 in float32, truncated."""
    return (faces.astype(np.float32) / np.float32(255) * np.float32(255)).astype(np.uint8)


def test_mouth_mask():
    """The mask is black in the rectangle x=5, y=5, w=310, h=305: rows 5 to 309, columns 5 to 314."""
    rows, columns = np.mgrid[:320, :320]
    black = (rows >= 5) & (rows <= 309) & (columns >= 5) & (columns <= 314)
    mask = mouth_mask(UNET_328)
    assert (mask.shape, mask.dtype) == ((1, 1, 320, 320), np.float32)
    np.testing.assert_array_equal(mask[0, 0], np.where(black, 0.0, 1.0))


def test_first_channels_are_the_face(faces):
    """The network sees the face, unmasked and in BGR, in channels 0 to 2."""
    np.testing.assert_array_equal(run(add_borders(channels(0), PATH), faces), levels(faces))


def test_last_channels_are_the_masked_face(faces):
    """The network sees the same face with the mouth blacked out in channels 3 to 5."""
    expected = levels(faces)
    expected[:, 5:310, 5:315] = 0
    np.testing.assert_array_equal(run(add_borders(channels(3), PATH), faces), expected)


@pytest.mark.parametrize(("value", "level"), [(0.0, 0), (0.5, 127), (0.9999, 254), (1.0, 255)])
def test_picture_is_truncated(faces, value, level):
    """The picture is ``uint8(output * 255)``, not rounded."""
    nodes = [
        helper.make_node("Slice", ["input", "start", "end", "axis"], ["part"]),
        helper.make_node("Mul", ["part", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["output"]),
    ]
    values = {
        "start": np.array([0]),
        "end": np.array([3]),
        "axis": np.array([1]),
        "zero": np.float32(0),
        "value": np.float32(value),
    }
    constants = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    image = run(add_borders(bare_model(nodes, constants), PATH), faces[:1])
    assert np.unique(image).tolist() == [level]


def test_audio_reaches_the_network(faces):
    """The speech window is handed through unchanged."""
    nodes = [
        helper.make_node("ReduceMean", ["audio"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Expand", ["mean", "shape"], ["output"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 320, 320]), "shape")
    audio = np.full((2, *AUDIO_SHAPE), 0.25, np.float32)
    audio[1] = 0.75
    image = run(add_borders(bare_model(nodes, [shape]), PATH), faces[:2], audio)
    assert [np.unique(picture).tolist() for picture in image] == [[63], [191]]


def test_borders(faces):
    """A served graph has ``face`` and ``audio`` in and ``image`` out, and only the batch is dynamic."""
    bare = channels(0)
    assert not has_borders(bare)
    model = add_borders(bare, PATH)
    assert has_borders(model)
    assert tensor_shapes([*model.graph.input, *model.graph.output]) == {
        "face": ("batch", 320, 320, 3),
        "audio": ("batch", 32, 16, 16),
        "image": ("batch", 320, 320, 3),
    }


@pytest.mark.parametrize(
    ("shapes", "expected", "got"),
    [
        (
            {"input": (6, 256, 256)},
            "input of shape (batch, 6, 320, 320) or (batch, 6, 160, 160)",
            "('n', 6, 256, 256)",
        ),
        (
            {"input": (3, 320, 320)},
            "input of shape (batch, 6, 320, 320) or (batch, 6, 160, 160)",
            "('n', 3, 320, 320)",
        ),
        ({"output": (3, 160, 160)}, "output of shape (batch, 3, 320, 320)", "('n', 3, 160, 160)"),
        ({"audio": (512,)}, "the inputs and output input, audio, output", "input, audio, output"),
        ({"last": (1,)}, "the inputs and output input, audio, output", "input, audio, output, last"),
    ],
)
def test_other_tensors(shapes, expected, got):
    """A network of other inputs or outputs is refused with its path."""
    with pytest.raises(BadModel) as caught:
        add_borders(bare_model([], **shapes), PATH)
    assert str(caught.value) == f"{PATH}: expected {expected}, got {got}"


def test_other_numbers():
    """A network that computes in anything but float32 or float16 is refused."""
    with pytest.raises(BadModel) as caught:
        add_borders(bare_model([], dtype=TensorProto.DOUBLE), PATH)
    assert str(caught.value) == f"{PATH}: expected inputs and output all FLOAT or all FLOAT16, got DOUBLE"
