"""export/network/unet.py"""

import numpy as np
import pytest
import torch

from export.contract import UNET_160
from export.network.unet import AUDIO_MODES, UNet
from speech.contract import window_shape
from tests.export.conftest import NETWORKS, network_input, published_name
from tests.vectors import inputs


@pytest.mark.parametrize("published", NETWORKS, indirect=True)
def test_output_matches_the_vectors(network, published):
    """At full width every network gives the reference output within 1e-4, and pictures within one level."""
    model = network(*published.arguments)
    faces, audio = published.inputs()
    stacked = torch.from_numpy(network_input(faces))
    with torch.inference_mode():
        output = model(stacked, torch.from_numpy(audio)).numpy()
    assert output.shape == (2, 3, *stacked.shape[2:])
    published.assert_output(output, (output * 255).astype(np.uint8).transpose(0, 2, 3, 1))


@pytest.mark.parametrize("published", NETWORKS, indirect=True)
def test_state_dict_is_the_published_one(published):
    """Every name and shape of the published state dict is there, in its order, and no other.

    The U-Net 160 is published with the newer spelling of two names.
    """
    with torch.device("meta"):
        state = UNet(*published.arguments).state_dict()
    assert [published_name(name, published.geometry) for name in state] == list(published.shapes)
    assert [list(value.shape) for value in state.values()] == list(published.shapes.values())


@pytest.mark.parametrize(
    ("arguments", "millions"),
    [
        (("ave", 1.0), 12.19),
        (("ave", 0.5), 3.10),
        (("hubert", 1.0, UNET_160, 8), 12.16),
        (("wenet", 1.0, UNET_160, 8), 12.80),
    ],
)
def test_parameter_counts(arguments, millions):
    """The full width has 12.2 million parameters, the half width 3.1; wenet's branch has more."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in UNet(*arguments).parameters())
    assert round(count / 1e6, 2) == millions


@pytest.mark.parametrize("width", [1.0, 0.5])
@pytest.mark.parametrize(
    ("mode", "window"), [*((mode, 16) for mode in AUDIO_MODES), ("hubert", 8), ("wenet", 8)]
)
def test_speech_reaches_the_waist(mode, window, width):
    """A window of any mode and length becomes as many channels as the waist has, at 10x10."""
    with torch.device("meta"):
        branch = UNet(mode, width, UNET_160, window).eval().audio_model
        assert branch(torch.zeros(3, *window_shape(mode, window))).shape == (3, int(512 * width), 10, 10)


def test_frames_of_a_batch_are_independent(network):
    """A frame comes out the same alone and beside another."""
    faces, audio = inputs(2, salt=3)
    stacked, audio = torch.from_numpy(network_input(faces)), torch.from_numpy(audio)
    with torch.inference_mode():
        together, alone = network()(stacked, audio), network()(stacked[1:], audio[1:])
    assert torch.allclose(together[1:], alone, atol=1e-5)
