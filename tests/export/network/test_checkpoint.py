"""export/network/checkpoint.py"""

import os
import pickle

import numpy as np
import pytest
import torch

from export.contract import UNET_160
from export.errors import BadCheckpoint, BadMode
from export.network.checkpoint import kinds_of_checkpoint, load_checkpoint
from export.network.kinds import Kind
from tests.export.conftest import NETWORKS, filled_state

FIRST = "audio_model.conv1.conv.0.weight"
WHOLE = "a whole PyTorch checkpoint of tensors only"


class Code:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def state(network):
    """The half-width network's state dict."""
    return dict(network().state_dict())


def without_tracked(state):
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def newer_names(state):
    return {
        key.replace("inc.inconv.0.", "inc.inconv.").replace(".maxpool_conv.0.", ".maxpool_conv."): value
        for key, value in state.items()
    }


SPELLINGS = {
    "bare": lambda state: state,
    "model_state_dict": lambda state: {"epoch": 3, "loss": 0.25, "model_state_dict": state},
    "state_dict": lambda state: {"state_dict": state, "optimizer": {"lr": 1e-3}},
    "model": lambda state: {"model": state},
    "module prefix": lambda state: {f"module.{key}": value for key, value in state.items()},
    "newer names": newer_names,
    "no batch counts": without_tracked,
    "float16": lambda state: {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    },
    "all at once": lambda state: {
        "model_state_dict": {
            f"module.{key}": value for key, value in newer_names(without_tracked(state)).items()
        }
    },
}


def refusal(path, audio_mode="ave"):
    """Return what is said of a checkpoint after its path."""
    with pytest.raises(BadCheckpoint) as caught:
        load_checkpoint(path, audio_mode)
    start, sentence = str(caught.value).split(": ", 1)
    assert start == str(path)
    return sentence


def refusal_of(content, path, audio_mode="ave"):
    torch.save(content, path)
    return refusal(path, audio_mode)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_network(tmp_path, state, spelling):
    """However repositories wrap and name their weights, each lands in its place, ready for inference."""
    torch.save(SPELLINGS[spelling](state), tmp_path / "a.pth")
    network = load_checkpoint(tmp_path / "a.pth")
    assert (network.audio_mode, network.width, network.training) == ("ave", 0.5, False)
    tolerance = 1e-3 if spelling == "float16" else 0
    for key, value in network.state_dict().items():
        assert torch.allclose(value, state[key], rtol=tolerance, atol=tolerance * 1e-2), key


def test_older_file_format(tmp_path, state):
    """Files of torch before 1.6 load, too."""
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_checkpoint(tmp_path / "a.pth").state_dict()[FIRST], state[FIRST])


@pytest.mark.parametrize("published", NETWORKS, indirect=True)
def test_published_full_width_state_dicts(tmp_path, published):
    """Weights under exactly the published names and shapes load at width 1.0 in their mode, size and window."""
    torch.save(filled_state(published.shapes), tmp_path / "335.pth")
    network = load_checkpoint(tmp_path / "335.pth", published.mode)
    assert (network.audio_mode, network.width) == (published.mode, 1.0)
    assert (network.geometry, network.window) == (published.geometry, published.window)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("mode", "window"), [("hubert", 8), ("wenet", 8), ("hubert", 16), ("wenet", 16)])
def test_every_spelling_of_the_smaller_network(tmp_path, network, mode, window, spelling):
    """Size, width, mode and window of a U-Net 160 are read from its weights, however they are wrapped and named."""
    state = network(mode, 0.5, UNET_160, window).state_dict()
    torch.save(SPELLINGS[spelling](state), tmp_path / "195.pth")
    assert kinds_of_checkpoint(tmp_path / "195.pth") == (Kind(UNET_160, mode, window),)
    loaded = load_checkpoint(tmp_path / "195.pth")
    assert (loaded.audio_mode, loaded.width, loaded.geometry, loaded.window) == (mode, 0.5, UNET_160, window)
    assert loaded.state_dict().keys() == state.keys()


@pytest.mark.parametrize("wrapper", ["bare", "model"])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(tmp_path, state, wrapper, odd):
    """NaN or infinity, as a training that diverged leaves them, is refused by name of the first entry."""
    key = "up3.conv.double_conv.0.conv.0.weight"
    state = {name: value.clone() for name, value in state.items()}
    state[key].view(-1)[:3] = odd
    state["outc.conv.bias"][0] = odd
    count = state[key].numel()
    assert refusal_of(SPELLINGS[wrapper](state), tmp_path / "a.pth") == (
        f"expected finite weights, got 3 of {count} NaN or infinite in {key}"
    )


def test_missing_entries(tmp_path, state):
    """Missing names are counted, and the first four are given."""
    for key in sorted(state)[:5]:
        del state[key]
    assert refusal_of(state, tmp_path / "a.pth") == (
        "expected the 556 entries of a U-Net 328, got 4 missing (audio_model.bn3.bias, "
        "audio_model.bn3.running_mean, audio_model.bn3.running_var, audio_model.bn3.weight)"
    )
    del state["outc.conv.bias"], state["outc.conv.weight"]
    assert refusal_of(state, tmp_path / "a.pth").endswith(
        "got 6 missing (audio_model.bn3.bias, "
        "audio_model.bn3.running_mean, audio_model.bn3.running_var, audio_model.bn3.weight, and 2 more)"
    )


def test_unknown_entries(tmp_path, state):
    """Names that the network has not are given."""
    state |= {"head.bias": torch.zeros(1), "head.weight": torch.zeros(1)}
    assert refusal_of(state, tmp_path / "a.pth") == (
        "expected the 556 entries of a U-Net 328, got 2 unknown (head.bias, head.weight)"
    )


def test_wrong_shapes(tmp_path, state):
    """Entries of another shape are given with both shapes."""
    state["outc.conv.weight"] = torch.zeros(4, 8, 1, 1)
    assert refusal_of(state, tmp_path / "a.pth") == (
        "expected the 556 entries of a U-Net 328, got 1 of another shape "
        "(outc.conv.weight is [4, 8, 1, 1] instead of [3, 8, 1, 1])"
    )


def test_all_complaints_together(tmp_path, state):
    """One refusal names everything that is wrong."""
    state["outc.conv.weight"] = torch.zeros(3)
    state["extra"] = state.pop("outc.conv.bias")
    assert refusal_of(state, tmp_path / "a.pth") == (
        "expected the 556 entries of a U-Net 328, got 1 missing (outc.conv.bias); 1 unknown (extra); "
        "1 of another shape (outc.conv.weight is [3] instead of [3, 8, 1, 1])"
    )


def test_another_network(tmp_path):
    """A landmark network's checkpoint, wrapped as it is published or bare, is refused for what it is."""
    weights = {"conv1.weight": torch.zeros(64, 3, 3, 3), "conv1.bias": torch.zeros(64)}
    published = {"epoch": 335, "plfd_backbone": weights, "auxiliarynet": weights}
    path = tmp_path / "checkpoint_epoch_335.pth.tar"
    assert refusal_of(published, path) == (
        "expected a state dict of tensors, got a dict with the keys epoch, plfd_backbone, auxiliarynet"
    )
    expected = "expected a U-Net 328 or 160 of 32 (width 1.0) or 16 (width 0.5) channels, got"
    assert refusal_of(weights, path) == f"{expected} no inc.inconv.0.conv.6.weight"
    wider = {"inc.inconv.0.conv.6.weight": torch.zeros(64, 12, 1, 1)}
    assert refusal_of(wider, path) == f"{expected} 64"


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ([1, 2], "a list"),
        (torch.zeros(3), "a Tensor"),
        ({"epoch": 1}, "a dict with the keys epoch"),
        ({0: torch.zeros(1)}, "a dict with the keys 0"),
        ({"model": {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}}, "a dict with the keys a, b, c, d"),
    ],
)
def test_no_state_dict(tmp_path, content, got):
    """A file of anything but named tensors is described."""
    assert refusal_of(content, tmp_path / "a.pth") == f"expected a state dict of tensors, got {got}"


@pytest.mark.parametrize(
    ("weights", "asked", "known"),
    [
        (("wenet",), "ave", "a U-Net 328 for wenet"),
        (("ave",), "wenet", "a U-Net 328 for ave or hubert"),
        (("hubert", 0.5, UNET_160, 8), "ave", "a U-Net 160 for hubert"),
    ],
)
def test_wrong_audio_mode(tmp_path, network, weights, asked, known):
    """Weights of another audio mode are told by their shapes."""
    torch.save(network(*weights).state_dict(), tmp_path / "a.pth")
    with pytest.raises(BadMode) as caught:
        load_checkpoint(tmp_path / "a.pth", asked)
    assert str(caught.value) == f"{tmp_path / 'a.pth'}: expected weights for {asked} features, got {known}"


def test_foreign_audio_channels(tmp_path, state):
    """A first audio convolution that is no network's of the family is refused with its channels."""
    state[FIRST] = torch.zeros(64, 48, 1, 1)
    assert refusal_of(state, tmp_path / "a.pth") == (
        f"expected a U-Net 328 of 32 (ave, hubert) or 256 (wenet) audio channels, got 48 in {FIRST}"
    )


def test_code_is_not_run(tmp_path):
    """A checkpoint that would run code when unpickled is refused, with the call's name, and has not run it."""
    path, folder = tmp_path / "a.pth", tmp_path / "made by the checkpoint"
    assert refusal_of({"x": Code(folder)}, path) == (
        f"expected {WHOLE}, got one that calls Python code ({os.mkdir.__module__}.mkdir)"
    )
    path.write_bytes(pickle.dumps(Code(folder)))
    assert refusal(path).startswith(f"expected {WHOLE}, got ")
    assert not folder.exists()


def test_files_that_are_no_checkpoint(tmp_path, state):
    """A missing, empty, cut or foreign file is told apart in one sentence."""
    path = tmp_path / "a.pth"
    assert refusal(path) == "expected a checkpoint file, got nothing there"
    path.touch()
    assert refusal(path) == f"expected {WHOLE}, got an empty file"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert refusal(path) == f"expected {WHOLE}, got bytes that torch cannot read (RuntimeError)"
    path.write_text("version https://git-lfs.github.com/spec/v1\n")
    assert refusal(path).startswith(f"expected {WHOLE}, got bytes that torch cannot read (")


@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_bytes_raise_nothing_else(tmp_path, zipped):
    """Whatever bytes are damaged, the refusal is a BadCheckpoint."""
    path = tmp_path / "a.pth"
    torch.save(
        {f"layer{i}.weight": torch.zeros(2, 2) for i in range(3)}, path, _use_new_zipfile_serialization=zipped
    )
    whole = path.read_bytes()
    rng = np.random.default_rng(6)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 5)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        with pytest.raises(BadCheckpoint):
            load_checkpoint(path)
