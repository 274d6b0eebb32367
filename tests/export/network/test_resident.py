"""export/network/resident.py; through the real Triton in tests/test_frames_in_network.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper

from demo.weights import UNET_PATH
from export.errors import BadSource
from export.network import resident
from export.network.borders import tensor_shapes
from export.network.engine import BatchProfile, build_engine
from export.network.half import to_half
from export.network.resident import hold_faces, refer_to_faces

SIDE = 4


def graph(side: int = SIDE) -> ModelProto:
    """A served graph that gives its face back, and hears without listening."""
    picture, floats = ["batch", side, side, 3], TensorProto.FLOAT
    made = helper.make_graph(
        [
            helper.make_node("Cast", ["face"], ["levels"], to=floats),
            helper.make_node("Cast", ["levels"], ["image"], to=TensorProto.UINT8),
        ],
        "same",
        [
            helper.make_tensor_value_info("face", TensorProto.UINT8, picture),
            helper.make_tensor_value_info("audio", floats, ["batch", 1]),
        ],
        [helper.make_tensor_value_info("image", TensorProto.UINT8, picture)],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture
def faces(tmp_path: Path) -> np.ndarray:
    """Seven small faces of every level, in ``tmp_path / "faces.npy"``."""
    made = np.random.default_rng(4).permutation(256 * 3)[: 7 * SIDE * SIDE * 3] % 256
    made = made.astype(np.uint8).reshape(7, SIDE, SIDE, 3)
    np.save(tmp_path / "faces.npy", made)
    return made


def run(model: ModelProto, folder: Path, *face_ids: int) -> np.ndarray:
    """Run a model that lies in a folder beside its faces."""
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    ids = np.array(face_ids, np.int32)[:, None]
    (image,) = session.run(None, {"face_id": ids, "audio": np.zeros((len(ids), 1), np.float32)})
    return image


@pytest.mark.parametrize("make", [refer_to_faces, hold_faces])
def test_faces_are_those_of_the_file(tmp_path: Path, faces: np.ndarray, make) -> None:
    """Each number gives its face to the bit, in any order and more than once."""
    ids = [6, 0, 3, 3, 1, 5, 2, 4]
    np.testing.assert_array_equal(run(make(graph(), tmp_path / "faces.npy"), tmp_path, *ids), faces[ids])


@pytest.mark.parametrize("make", [refer_to_faces, hold_faces])
def test_no_memory_beside_the_faces_is_read(tmp_path: Path, faces: np.ndarray, make) -> None:
    """A number outside, which the lookup refuses before, is brought to the nearest face."""
    image = run(make(graph(), tmp_path / "faces.npy"), tmp_path, -1, 7, 2**31 - 1, -(2**31))
    np.testing.assert_array_equal(image, faces[[0, 6, 6, 0]])


def test_half_has_every_level(tmp_path: Path) -> None:
    """float16 holds 0 to 255 exactly, so that what TensorRT is given is what the file holds."""
    levels = np.resize(np.arange(256, dtype=np.uint8), (6, SIDE, SIDE, 3))
    np.save(tmp_path / "faces.npy", levels)
    np.testing.assert_array_equal(
        run(hold_faces(graph(), tmp_path / "faces.npy"), tmp_path, *range(6)), levels
    )


def test_nothing_is_copied(tmp_path: Path, faces: np.ndarray) -> None:
    """The graph that refers to the faces is as small as without them, and is a valid one."""
    model = refer_to_faces(graph(), tmp_path / "faces.npy")
    assert model.ByteSize() < graph().ByteSize() + 1000
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    onnx.checker.check_model(str(tmp_path / "model.onnx"), full_check=True)
    assert tensor_shapes(list(model.graph.input)) == {"face_id": ("batch", 1), "audio": ("batch", 1)}


def test_the_given_graph_is_left_as_it_is(tmp_path: Path, faces: np.ndarray) -> None:
    """The network that was given still takes a face."""
    given = graph()
    refer_to_faces(given, tmp_path / "faces.npy")
    assert given == graph()


@pytest.mark.parametrize("make", [refer_to_faces, hold_faces])
def test_too_many_faces(tmp_path: Path, faces: np.ndarray, make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that is too long is refused in one sentence that says what is, and where its faces may stay."""
    monkeypatch.setattr(resident, "RESIDENT_BYTES", 6 * SIDE * SIDE * 3)
    with pytest.raises(BadSource) as caught:
        make(graph(), tmp_path / "faces.npy")
    assert str(caught.value) == (
        f"{tmp_path / 'faces.npy'}: expected faces of up to 0 MiB in the network (6 frames), "
        "got 0 MiB (7 frames): leave them to the lookup"
    )


def test_the_bound_is_protobufs() -> None:
    """As float16, as TensorRT is given them, the faces and the largest network together stay below 2 GiB."""
    assert 2 * resident.RESIDENT_BYTES + 100e6 < 1 << 31


@pytest.mark.parametrize("halved", [False, True], ids=["fp32", "fp16"])
def test_tensorrt_builds_it(tmp_path: Path, halved: bool) -> None:
    """The builder takes the graph that holds its faces, and keeps them in two bytes a number."""
    rng = np.random.default_rng(5)
    sizes = []
    for count in (4, 24):
        np.save(tmp_path / "faces.npy", rng.integers(0, 256, (count, 320, 320, 3), dtype=np.uint8))
        model = onnx.load(UNET_PATH)
        model = hold_faces(to_half(model) if halved else model, tmp_path / "faces.npy")
        sizes.append(len(build_engine(model, BatchProfile(optimum=1))))
    assert sizes[1] - sizes[0] == pytest.approx(20 * 2 * 320 * 320 * 3, rel=0.05)
