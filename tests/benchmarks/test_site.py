"""benchmarks/site.py"""

import sys

import numpy as np
import pytest
import torch

from benchmarks import site
from benchmarks.site import carry, load_network, prepare_site, random_network
from export.repository.avatar import read_avatar


def test_weights_are_seeded():
    """The network's random weights are the same at every call, and its output is a picture, not a saturated one."""
    first, second = random_network(0.5).state_dict(), random_network(0.5).state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())
    with torch.inference_mode():
        output = random_network(0.5)(torch.rand(1, 6, 320, 320), torch.rand(1, 32, 16, 16)).numpy()
    assert 0.02 < np.std(output) < 0.4


def test_avatars_are_made_once(tmp_path, monkeypatch):
    """A missing avatar is made, with its models; one that is there is left as it is, unless a file of it is missing."""
    monkeypatch.setattr(site, "FRAMES", 25)
    made = prepare_site(tmp_path, ("demo",))
    assert read_avatar(made.avatars / "demo").frame_count == 25
    assert (made.model_repository / "demo_unet" / "1" / "model.onnx").is_file()
    changed = (made.avatars / "demo" / "avatar.json").stat().st_mtime_ns
    assert prepare_site(tmp_path, ("demo",)) == made
    assert (made.avatars / "demo" / "avatar.json").stat().st_mtime_ns == changed
    (made.avatars / "demo" / "sound.npy").unlink()
    prepare_site(tmp_path, ("demo",))
    assert (made.avatars / "demo" / "sound.npy").is_file()


def test_what_is_carried(tmp_path, monkeypatch):
    """A site to which clip and networks were carried needs no PyTorch, and computes what those networks do."""
    monkeypatch.setattr(site, "FRAMES", 25)
    monkeypatch.setattr(site, "WIDTHS", {"half": 0.0625})
    carry(tmp_path, ("half", "demo"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip", "half.onnx"]
    carried = (tmp_path / "half.onnx").read_bytes()
    monkeypatch.setitem(sys.modules, "export.network.onnx_model", None)
    made = prepare_site(tmp_path, ("half",))
    assert read_avatar(made.avatars / "half").frame_count == 25
    carry(tmp_path, ("half",))
    assert (tmp_path / "half.onnx").read_bytes() == carried
    with pytest.raises(ImportError):
        load_network(tmp_path / "elsewhere", "half")
