"""export/network/unet.py"""

import numpy as np
import pytest
import torch

from export.network.unet import AUDIO_MODES, UNet328
from tests.vectors import inputs

MODES = ("ave", "hubert", "wenet")


def network_input(faces: np.ndarray) -> np.ndarray:
    """Stack [face, masked face] as the training repositories do: a black rectangle x=5, y=5, w=310, h=305."""
    masked = faces.copy()
    masked[:, 5 : 5 + 305, 5 : 5 + 310] = 0
    return np.concatenate([faces, masked], axis=3).transpose(0, 3, 1, 2).astype(np.float32) / 255


@pytest.mark.parametrize("mode", MODES)
def test_output_matches_the_vectors(network, parity, mode):
    """At full width every mode gives the reference output within 1e-4, and pictures within one level."""
    model = network(mode, 1.0)
    faces, audio = inputs(2, AUDIO_MODES[mode].shape, salt=8)
    with torch.inference_mode():
        output = model(torch.from_numpy(network_input(faces)), torch.from_numpy(audio)).numpy()
    assert output.shape == (2, 3, 320, 320)
    assert np.abs(output[:, :, ::4, ::4] - parity[f"{mode}_output"]).max() < 1e-4
    picture = (output * 255).astype(np.uint8).transpose(0, 2, 3, 1)[:, ::2, ::2]
    assert np.abs(picture.astype(int) - parity[f"{mode}_image"]).max() <= 1


@pytest.mark.parametrize("mode", MODES)
def test_state_dict_is_the_published_one(state_shapes, mode):
    """Every name and shape of the published state dict is there, in its order, and no other."""
    with torch.device("meta"):
        state = UNet328(mode).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == state_shapes[mode]
    assert list(state) == list(state_shapes[mode])


@pytest.mark.parametrize(("width", "millions"), [(1.0, 12.19), (0.5, 3.10)])
def test_parameter_counts(width, millions):
    """The full width has 12.19 million parameters, the half width 3.1."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in UNet328("ave", width).parameters())
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("width", [1.0, 0.5])
@pytest.mark.parametrize("mode", MODES)
def test_speech_reaches_the_waist(mode, width):
    """A window of any mode becomes as many channels as the waist has, at 10x10."""
    with torch.device("meta"):
        branch = UNet328(mode, width).eval().audio_model
        assert branch(torch.zeros(3, *AUDIO_MODES[mode].shape)).shape == (3, int(512 * width), 10, 10)


def test_frames_of_a_batch_are_independent(network):
    """A frame comes out the same alone and beside another."""
    faces, audio = inputs(2, salt=3)
    stacked, audio = torch.from_numpy(network_input(faces)), torch.from_numpy(audio)
    with torch.inference_mode():
        together, alone = network()(stacked, audio), network()(stacked[1:], audio[1:])
    assert torch.allclose(together[1:], alone, atol=1e-5)
