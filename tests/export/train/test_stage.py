from __future__ import annotations

import pytest
import torch

from export.train.stage import descend, one_cycle


def test_the_learning_rate_rises_then_falls() -> None:
    """From a tenth to one within the first tenth, then down to a hundredth."""
    assert [one_cycle(progress) for progress in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx(
        [0.1, 0.55, 1, 0.505, 0.01]
    )


def test_a_step_uses_the_factor_of_each_rate() -> None:
    """Each group moves by its own rate times the factor, however often it is called."""
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": weights[:1], "lr": 1.0}, {"params": weights[1:], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    for _ in range(2):
        loss = descend(optimizer, 0.5 * sum(weights).sum(), 0.5)
    assert loss == pytest.approx(0.5 * (-0.25 - 0.025))
    assert [weight.item() for weight in weights] == pytest.approx([-0.5, -0.05])


def test_a_huge_gradient_is_cut() -> None:
    """One bad batch cannot throw the weights away."""
    weight = torch.nn.Parameter(torch.zeros(1))
    descend(torch.optim.SGD([weight], 1.0), 1e6 * weight.sum(), 1.0)
    assert weight.item() == pytest.approx(-1)
