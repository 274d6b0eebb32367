"""A short description of each frame's mouth, computed from the dataset's own pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from training.loss import MOUTH
from training.network import FACE

__all__ = ["THUMBNAIL", "mouth_codes"]

THUMBNAIL = 40
"""Pixels of a shrunken face; a quarter of them per position of the network's waist."""

CODE_SIZE = 12
POSE_SIZE = 16
RIDGE = 1e-5
SCALE = THUMBNAIL / FACE.bottom
UPPER_ROWS = slice(0, int(100 * SCALE))
MOUTH_ROWS = slice(int(MOUTH.top * SCALE), int(MOUTH.bottom * SCALE))
MOUTH_COLUMNS = slice(int(MOUTH.left * SCALE), int(MOUTH.right * SCALE))


def mouth_codes(thumbnails: Tensor) -> Tensor:
    """Return the principal components of the mouths, less what the eyes and nose tell about them.

    Much of what changes around a mouth is the head's turning, which no sound explains: a linear fit from the upper
    half of the face removes it.

    Args:
        thumbnails: (N, 3, 40, 40) float32.

    Returns:
        (N, up to 12) float32, together of variance 1.
    """
    mouths = _centred(thumbnails[:, :, MOUTH_ROWS, MOUTH_COLUMNS])
    poses = _components(_centred(thumbnails[:, :, UPPER_ROWS]), POSE_SIZE)
    codes = _components(mouths - poses @ _fit(poses, mouths), CODE_SIZE)
    return codes / codes.square().sum(1).mean().sqrt()


def _centred(pictures: Tensor) -> Tensor:
    flat = pictures.flatten(1)
    return flat - flat.mean(0)


def _fit(poses: Tensor, mouths: Tensor) -> Tensor:
    """Return the linear map from poses to mouths; a trace of ridge keeps poses that never change out of it."""
    gram = poses.T @ poses
    ridge = RIDGE * gram.trace() * torch.eye(len(gram))
    fit: Tensor = torch.linalg.solve(gram + ridge, poses.T @ mouths)
    return fit


def _components(centred: Tensor, count: int) -> Tensor:
    """Return the leading principal components of rows: (N, at most count)."""
    _, vectors = torch.linalg.eigh(centred.T @ centred)  # ascending
    components: Tensor = centred @ vectors[:, -count:].flip(1)
    return components
