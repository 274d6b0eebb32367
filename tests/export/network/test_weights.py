"""export/network/weights.py"""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from export.contract import UNET_328
from export.errors import BadCheckpoint
from export.network.kinds import Kind, choose_kind
from export.network.weights import find_checkpoint, find_kinds, load_served_model
from tests.export.conftest import network_input
from tests.vectors import inputs


def files(folder, *names):
    for name in names:
        (folder / name).touch()
    return folder


def render(model, faces, audio):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["image"], {"face": faces, "audio": audio})[0]


def test_highest_epoch_is_the_newest(tmp_path):
    """Of a training repository's folder the highest epoch counts as a number: 10 comes after 9."""
    files(tmp_path, "9.pth", "10.pth", "2.pth", "optimizer.pth", "11.txt")
    assert find_checkpoint(tmp_path) == tmp_path / "10.pth"


def test_package_names_in_order(tmp_path):
    """Of a package's folder best_trainloss.pth comes first, then model_best.pth, then model_best.onnx."""
    files(tmp_path, "3.pth", "model_best.onnx")
    assert find_checkpoint(tmp_path).name == "model_best.onnx"
    files(tmp_path, "model_best.pth")
    assert find_checkpoint(tmp_path).name == "model_best.pth"
    files(tmp_path, "best_trainloss.pth")
    assert find_checkpoint(tmp_path).name == "best_trainloss.pth"


def test_a_file_is_itself(tmp_path):
    """A file is taken whatever its name."""
    path = files(tmp_path, "mine.pth.tar") / "mine.pth.tar"
    assert find_checkpoint(path) == path


def test_nothing_to_find(tmp_path):
    """A missing path and a folder without weights are named."""
    with pytest.raises(BadCheckpoint) as caught:
        find_checkpoint(tmp_path / "absent")
    assert (
        str(caught.value) == f"{tmp_path / 'absent'}: expected a checkpoint file or folder, got nothing there"
    )
    with pytest.raises(BadCheckpoint) as caught:
        find_checkpoint(files(tmp_path, "best.pth"))
    names = "best_trainloss.pth, model_best.pth, model_best.onnx, ultralight.pth"
    assert str(caught.value) == f"{tmp_path}: expected <epoch>.pth or one of {names} in it, got none of them"


def test_a_bare_network_gets_its_borders(bare_onnx, network):
    """A package's ONNX file renders what PyTorch does with the same weights, within a level, at any batch size."""
    faces, audio = inputs(2, salt=8)
    with torch.inference_mode():
        output = network()(torch.from_numpy(network_input(faces)), torch.from_numpy(audio)).numpy()
    expected = (output * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    image = render(load_served_model(bare_onnx, "ave", "fp32"), faces, audio)
    assert np.abs(image.astype(int) - expected).max() <= 1


def test_a_served_graph_is_taken_as_it_is(served, tmp_path):
    """A graph that already has its borders is not changed."""
    onnx.save(served(), tmp_path / "unet.onnx")
    assert load_served_model(tmp_path / "unet.onnx", "ave", "fp32") == served()


def test_a_folder_with_onnx(bare_onnx):
    """A checkpoint folder that holds ONNX alone is as good as the file."""
    assert load_served_model(bare_onnx.parent, "ave", "fp32") == load_served_model(bare_onnx, "ave", "fp32")


def test_a_checkpoint_is_exported_and_verified(half_width_pth, served, monkeypatch):
    """A checkpoint becomes the served graph; what was done and how close it came is said line by line."""
    monkeypatch.setattr("export.network.verify.MAX_BATCH_SIZE", 2)  # 16 is for test_verify.py
    monkeypatch.setattr(
        "export.network.onnx_model.export_network", lambda *_: served()
    )  # a real one is in test_main.py
    lines = []
    model = load_served_model(half_width_pth, "ave", "fp32", lines.append)
    assert lines[0] == f"exporting {half_width_pth} (U-Net 328, width 0.5, ave, fp32)"
    assert [line.partition(":")[0] for line in lines[1:]] == ["  batch  1", "  batch  2"]
    assert model.graph == served().graph


@pytest.mark.parametrize("mode", [None, "ave"])
def test_kinds_of_files(bare_onnx, half_width_pth, mode):
    """An ONNX file says which network it is; equal shapes of a checkpoint may be two modes', and ave is the first."""
    ave, hubert = Kind(UNET_328, "ave", 16), Kind(UNET_328, "hubert", 16)
    assert find_kinds(bare_onnx) == (ave,)
    assert find_kinds(half_width_pth) == (ave, hubert)
    assert choose_kind(half_width_pth, find_kinds(half_width_pth), mode) == ave
