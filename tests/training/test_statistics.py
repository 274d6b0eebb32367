"""training/statistics.py"""

from __future__ import annotations

import torch
from torch import nn

from export.network.audio_encoder import AveEncoder
from training.statistics import measure_statistics


def test_the_function_stays_and_the_statistics_fit() -> None:
    """A network gives what it gave; trained on the same examples, its batch norms see mean 0 and variance 1."""
    torch.manual_seed(0)
    encoder = AveEncoder().eval()
    examples = torch.randn(32, 1, 80, 16)
    with torch.no_grad():
        before = encoder(examples)
        measure_statistics(encoder, examples)
        after = encoder(examples)
        in_training = encoder.train()(examples)
    assert before.abs().max() > 0
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(in_training, before, rtol=0.02, atol=0.05)


def test_no_hook_stays() -> None:
    """What runs afterwards changes nothing."""
    norm = nn.Sequential(nn.BatchNorm2d(2))
    measure_statistics(norm, torch.randn(4, 2, 3, 3))
    state = {key: value.clone() for key, value in norm.state_dict().items()}
    norm.eval()(5 + 3 * torch.randn(4, 2, 3, 3))
    for key, value in norm.state_dict().items():
        torch.testing.assert_close(value, state[key])


def test_a_channel_that_never_changes() -> None:
    """Its variance is kept above 0: no weight becomes infinite."""
    norm = nn.BatchNorm2d(1)
    measure_statistics(norm, torch.zeros(4, 1, 3, 3))
    assert norm.running_var is not None
    assert norm.running_var.item() > 0
    assert torch.isfinite(norm.weight).all()
