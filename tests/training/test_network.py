from __future__ import annotations

import numpy as np
import pytest
import torch

from export.network.unet import UNet
from training.corpus import Corpus
from training.network import (
    Box,
    Speaker,
    freeze_statistics,
    masked,
    render,
    silenced,
    with_masked,
)


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    torch.manual_seed(0)
    return Speaker(0.5).eval()


@torch.inference_mode()
def test_whole_pictures_equal_the_network(speaker: Speaker) -> None:
    """Without a box, training runs the very network that is served."""
    faces, audio = torch.rand(1, 6, 320, 320), torch.rand(1, 32, 16, 16)
    torch.testing.assert_close(render(speaker.unet, faces, audio), speaker.unet(faces, audio))


@torch.inference_mode()
def test_a_box_equals_that_part_of_the_whole(speaker: Speaker) -> None:
    """Except for two pixels along its edge, a box is what the whole picture has there."""
    faces, audio = torch.rand(1, 6, 320, 320), torch.rand(1, 32, 16, 16)
    box = Box(100, 60, 164, 140)
    part = render(speaker.unet, faces, audio, box)
    assert part.shape == (1, 3, 64, 80)
    whole = speaker.unet(faces, audio)[:, :, 100:164, 60:140]
    torch.testing.assert_close(part[..., 2:-2, 2:-2], whole[..., 2:-2, 2:-2], atol=1e-6, rtol=1e-5)


def test_the_mask() -> None:
    """Rows 5 to 309 and columns 5 to 314 are black, the rest is left, the input untouched."""
    faces = torch.ones(1, 3, 320, 320)
    hidden = masked(faces)
    assert hidden.sum() == 3 * (320 * 320 - 305 * 310)
    assert not hidden[..., 5:310, 5:315].any()
    assert faces.all()


@torch.inference_mode()
def test_hears_what_is_served(speaker: Speaker, corpus: Corpus) -> None:
    """A frame's audio is its 16 vectors in a row, reshaped; vectors before the start are zeros."""
    heard = speaker.hear(corpus.speech(np.array([[3]])))
    assert heard.shape == (1, 32, 16, 16)
    vectors = heard.reshape(16, 512)
    assert not vectors[:5].any()
    assert (vectors[5:] > 0).any(dim=1).all()
    assert torch.equal(vectors[5], vectors[6])  # the copy of the first


def test_the_target_is_hidden(speaker: Speaker, corpus: Corpus) -> None:
    """What lies inside the mask of the target cannot change the picture."""
    speech = corpus.speech(np.array([[9]]))
    reference, target = torch.rand(1, 3, 320, 320), torch.rand(1, 3, 320, 320)
    other = target.clone()
    other[..., 5:310, 5:315] = 0.5
    with torch.inference_mode():
        assert torch.equal(speaker(reference, target, speech), speaker(reference, other, speech))


def test_a_sketch_is_what_the_network_has_there(speaker: Speaker) -> None:
    """It is the very input of the network's fourth step up, and only the two levels left out get no gradient."""
    faces, audio = torch.rand(1, 6, 320, 320), torch.rand(1, 32, 16, 16)
    seen: list[torch.Tensor] = []
    handle = speaker.unet.up4.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0].detach())
    )
    with torch.inference_mode():
        speaker.unet(faces, audio)
    handle.remove()
    sketch = speaker.sketch(faces, audio)
    torch.testing.assert_close(sketch.detach(), seen[0])
    sketch.sum().backward()
    trained = {key.split(".")[1] for key, value in speaker.named_parameters() if value.grad is not None}
    speaker.zero_grad()
    assert trained == {"down2", "down3", "down4", "down5", "audio_model", "fuse_conv", "up1", "up2", "up3"}


def test_input_order() -> None:
    """Channels 0-2 are the reference, 3-5 the target without its mouth."""
    faces = with_masked(torch.full((1, 3, 320, 320), 0.25), torch.ones(1, 3, 320, 320))
    assert faces.shape == (1, 6, 320, 320)
    assert (faces[:, :3] == 0.25).all()
    assert faces[0, 3:, 160, 160].tolist() == [0, 0, 0]
    assert faces[0, 3:, 0, 0].tolist() == [1, 1, 1]


def test_a_silenced_layer_gives_zeros() -> None:
    """Whatever goes in."""
    assert not silenced(torch.nn.Linear(4, 3))(torch.rand(2, 4)).any()


def test_frozen_statistics() -> None:
    """Batch norms stop measuring, all else keeps training."""
    network = UNet("ave", 0.5).train()
    freeze_statistics([network.down1])
    norms = [part for part in network.down1.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    assert network.down1.training
    assert network.inc.inconv[0].conv[1].training
