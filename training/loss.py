"""What training minimises, and on which part of the picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from export.contract import UNET_328
from training.network import FACE, Box

__all__ = ["MOUTH", "draw_box", "mix_reference", "mouth_weights", "picture_loss"]

MOUTH = Box(120, 64, 280, 256)
"""Where the mouth and chin of any face lie: the crop is aligned to the jaw, with the bridge of the nose at its top."""

ELSEWHERE_WEIGHT = 0.2
MOUTH_SHARE = 0.6
"""How many of the steps paint the mouth; the others paint a box of the same size anywhere."""

JITTER_PIXELS = 16
RIM_PIXELS = 2
GRADIENT_WEIGHT = 1.0
SEAM_ROWS = (104, 136)
"""Between the nose and the upper lip: above it the reference is the target's own."""


def picture_loss(painted: Tensor, targets: Tensor, weights: Tensor, box: Box) -> Tensor:
    """Return the weighted L1 distance of colours plus that of their gradients, a scalar.

    Colours alone would leave lips and teeth soft: the median of several sharp pictures is blurred. Gradients reward an
    edge in its place. A perceptual loss through a pretrained network does the same at ten times the cost of this U-Net.

    Args:
        painted: (B, 3, h, w) float32, the box of the picture.
        targets: (B, 3, 320, 320) float32, the whole picture.
        weights: (320, 320) float32.
        box: Which part was painted; its outermost 2 pixels don't count.
    """
    rows, columns = box.slices
    inner = (..., slice(RIM_PIXELS, -RIM_PIXELS), slice(RIM_PIXELS, -RIM_PIXELS))
    error = (painted - targets[..., rows, columns])[inner]
    weight = weights[rows, columns][inner]
    loss = _mean(error.abs(), weight)
    loss = loss + GRADIENT_WEIGHT * _mean((error[..., 1:, :] - error[..., :-1, :]).abs(), weight[1:])
    return loss + GRADIENT_WEIGHT * _mean((error[..., 1:] - error[..., :-1]).abs(), weight[:, 1:])


def mouth_weights() -> Tensor:
    """Return how much each pixel counts: (320, 320) float32, 1 inside the mouth's box, falling to 0.2 around it."""
    rows = _bump(MOUTH.top, MOUTH.bottom)
    columns = _bump(MOUTH.left, MOUTH.right)
    return ELSEWHERE_WEIGHT + (1 - ELSEWHERE_WEIGHT) * rows[:, None] * columns


def draw_box(rng: np.random.Generator) -> Box:
    """Draw the part of the picture a step paints: mostly the mouth, now and then elsewhere."""
    height, width = MOUTH.bottom - MOUTH.top, MOUTH.right - MOUTH.left
    if rng.random() < MOUTH_SHARE:
        top = MOUTH.top + int(rng.integers(-JITTER_PIXELS, JITTER_PIXELS + 1))
        left = MOUTH.left + int(rng.integers(-JITTER_PIXELS, JITTER_PIXELS + 1))
    else:
        # The centre is drawn, not the corner: else the picture's own corners would hardly ever be painted.
        top = min(max(int(rng.integers(FACE.bottom)) - height // 2, 0), FACE.bottom - height)
        left = min(max(int(rng.integers(FACE.right)) - width // 2, 0), FACE.right - width)
    return Box(top, left, top + height, left + width)


def mix_reference(targets: Tensor, others: Tensor) -> Tensor:
    """Return reference faces: the target's own above the upper lip, another frame's from there on.

    When served, the reference is the very frame to paint. With another frame's whole face, as published trainers take
    it, eyes and nose could not be known, and would come out as an average that neither blinks nor looks. With the
    target's whole face the mouth would be copied and the sound ignored.
    """
    start, stop = SEAM_ROWS
    share = ((torch.arange(UNET_328.face_size) - start) / (stop - start)).clamp(0, 1)[:, None]
    return torch.lerp(targets, others, share.expand(UNET_328.face_size, UNET_328.face_size))


def _mean(error: Tensor, weight: Tensor) -> Tensor:
    return (error * weight).mean() / weight.mean()


def _bump(start: int, stop: int) -> Tensor:
    """Return 1 from ``start`` to ``stop``, falling linearly to 0 within 32 pixels outside: (320,)."""
    places = torch.arange(UNET_328.face_size)
    outside = torch.maximum(start - places, places - (stop - 1)).clamp(min=0)
    return (1 - outside / 32).clamp(min=0)
