from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from training.corpus import Corpus
from training.network import Speaker
from training.stage import Learner, Stage, one_cycle


class Pull(Stage[nn.Linear, float]):
    """Pulls one weight with a force that is drawn."""

    name = "pull"
    weight_decay = 0.0

    def __init__(self, speaker: Speaker, corpus: Corpus, force: float) -> None:
        self.force = force
        weight = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(weight.weight)
        groups = [{"params": list(weight.parameters()), "lr": 0.5}]
        super().__init__(speaker, weight, corpus, groups, shards=2, threads=2)

    def draw(self) -> float:
        return self.force

    def loss(self, learner: Learner[nn.Linear], shard: float) -> Tensor:
        return (learner.extra.weight * shard).sum()


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker(0.5)


def test_the_learning_rate_rises_then_falls() -> None:
    """From a tenth to one within the first tenth, then down to a hundredth."""
    assert [one_cycle(progress) for progress in (0, 0.05, 0.1, 0.55, 1)] == pytest.approx(
        [0.1, 0.55, 1, 0.505, 0.01]
    )


@pytest.mark.parametrize("force", [0.3, 1e6])
def test_a_step_moves_by_the_rate_of_its_moment(speaker: Speaker, corpus: Corpus, force: float) -> None:
    """Adam's first steps are as long as the rate times the schedule, however strong the pull."""
    stage = Pull(speaker, corpus, force)
    assert stage.step(0.55) == 0
    assert stage.learner.extra.weight.item() == pytest.approx(-0.5 * 0.505, rel=1e-4)
    assert stage.step(0.1) == pytest.approx(-0.5 * 0.505 * force, rel=1e-4)
    assert stage.learner.extra.weight.item() == pytest.approx(-0.5 * 1.505, rel=1e-4)


def test_the_rate_survives_saving(speaker: Speaker, corpus: Corpus) -> None:
    """A stage that takes up another's optimiser goes on at the same rate."""
    first, second = Pull(speaker, corpus, 1.0), Pull(speaker, corpus, 1.0)
    first.step(0)
    second.learner.extra.load_state_dict(first.learner.extra.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    for stage in (first, second):
        stage.step(0.3)
    assert torch.equal(first.learner.extra.weight, second.learner.extra.weight)


@pytest.mark.parametrize(("force", "left"), [(0.3, 0.3), (1e6, 1.0)])
def test_no_gradient_is_longer_than_1(speaker: Speaker, corpus: Corpus, force: float, left: float) -> None:
    """One outlier among the batches does not throw the optimiser's averages: its gradient is cut to length 1."""
    stage = Pull(speaker, corpus, force)
    stage.step(0.5)
    assert stage.learner.extra.weight.grad is not None
    assert stage.learner.extra.weight.grad.norm().item() == pytest.approx(left, rel=1e-4)
