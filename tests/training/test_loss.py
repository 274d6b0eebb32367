from __future__ import annotations

import numpy as np
import pytest
import torch

from training.loss import MOUTH, draw_box, mix_reference, mouth_weights, picture_loss
from training.network import Box

BOX = Box(100, 100, 140, 150)


def test_a_perfect_picture_costs_nothing() -> None:
    """The loss of the target itself is zero."""
    targets = torch.rand(2, 3, 320, 320)
    assert picture_loss(targets[..., 100:140, 100:150], targets, mouth_weights(), BOX) == 0


def test_an_even_error_costs_its_size() -> None:
    """Where all is too bright by 0.1, the colours cost 0.1 and the gradients nothing."""
    targets = torch.full((1, 3, 320, 320), 0.5)
    loss = picture_loss(torch.full((1, 3, 40, 50), 0.6), targets, mouth_weights(), BOX)
    assert loss.item() == pytest.approx(0.1, abs=1e-6)


def test_a_lost_edge_costs_more_than_its_colours() -> None:
    """A step between two columns that is missing costs the colours' error and the gradient's."""
    targets = torch.zeros(1, 3, 320, 320)
    targets[..., 125:] = 1
    painted = torch.full((1, 3, 40, 50), 0.5)
    inner_columns = 50 - 2 * 2
    loss = picture_loss(painted, targets, torch.ones(320, 320), BOX)
    assert loss.item() == pytest.approx(0.5 + 1 / (inner_columns - 1), rel=1e-5)


def test_the_rim_is_free() -> None:
    """The two outermost pixels of a box don't count."""
    targets = torch.zeros(1, 3, 320, 320)
    painted = torch.ones(1, 3, 40, 50)
    painted[..., 2:-2, 2:-2] = 0
    assert picture_loss(painted, targets, mouth_weights(), BOX) == 0


def test_the_mouth_weighs_most() -> None:
    """Weights are 1 in the mouth's box and 0.2 far from it."""
    weights = mouth_weights()
    assert weights.shape == (320, 320)
    assert (weights[MOUTH.slices] == 1).all()
    assert weights[0, 0].item() == pytest.approx(0.2)
    assert weights[MOUTH.top - 16, 160].item() == pytest.approx(0.6, abs=0.02)


def test_boxes() -> None:
    """Boxes lie in the face, are of one size, mostly of the mouth, and reach every part of the picture."""
    rng = np.random.default_rng(0)
    seen = torch.zeros(320, 320)
    boxes = [draw_box(rng) for _ in range(600)]
    for box in boxes:
        assert (box.bottom - box.top, box.right - box.left) == (160, 192)
        assert min(box) >= 0
        assert max(box) <= 320
        seen[box.slices] += 1
    assert sum(abs(box.top - MOUTH.top) <= 16 for box in boxes) > 330
    assert min(seen[0, 0], seen[0, 319], seen[319, 0], seen[319, 319]) > 5


def test_the_reference_shows_another_mouth() -> None:
    """Above the upper lip the reference is the target's own, from there on another frame's, softly joined."""
    reference = mix_reference(torch.zeros(1, 3, 320, 320), torch.ones(1, 3, 320, 320))
    assert not reference[..., :105, :].any()
    assert (reference[..., 136:, :] == 1).all()
    assert reference[0, 0, 120, 0].item() == pytest.approx(0.5)
