from __future__ import annotations

import torch

from training.codes import mouth_codes


def test_codes_follow_the_mouth_alone() -> None:
    """What changes with eyes and nose is left out; what only the mouth does is the first component."""
    generator = torch.Generator().manual_seed(0)
    pose, opening = torch.randn(2, 400, generator=generator)
    pictures = torch.zeros(400, 3, 40, 40)
    pictures[:, :, 2:8] = pose[:, None, None, None]
    pictures[:, :, 16:34] = pose[:, None, None, None]
    pictures[:, :, 20:26, 15:25] += 0.2 * opening[:, None, None, None]
    codes = mouth_codes(pictures)
    assert codes.shape == (400, 12)
    first = torch.corrcoef(torch.stack([codes[:, 0], opening, pose]))[0]
    assert abs(first[1]) > 0.99
    assert abs(first[2]) < 0.05


def test_codes_are_of_variance_one() -> None:
    """The squared length of a code is 1 on average, whatever the pictures' contrast."""
    pictures = torch.rand(50, 3, 40, 40, generator=torch.Generator().manual_seed(1)) * 0.01
    torch.testing.assert_close(mouth_codes(pictures).square().sum(1).mean(), torch.tensor(1.0))
