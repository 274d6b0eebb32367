from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from training.team import Team


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))


def loss(module: nn.Module, shard: Tensor) -> Tensor:
    return module(shard).square().mean()


@pytest.mark.parametrize(("size", "count"), [(1, 1), (2, 2), (2, 4), (3, 2)])
def test_gradients_are_those_of_the_mean_loss(size: int, count: int) -> None:
    """Whoever works on which shard, loss and gradients equal those of all shards one after the other."""
    alone, leader = network(), network()
    shards = [torch.randn(2, 3, 8, 8) for _ in range(count)]
    expected = sum(loss(alone, shard) for shard in shards) / count
    expected.backward()
    team = Team(leader, size)
    assert team.gradients(loss, shards) == pytest.approx(expected.item(), rel=1e-5)
    for got, wanted in zip(leader.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(got.grad, wanted.grad, atol=1e-6, rtol=1e-4)


def test_replicas_follow_the_leader() -> None:
    """A step of the optimiser on the leader's weights is seen by all, and gradients do not pile up."""
    leader = network()
    team = Team(leader, 2)
    shards = [torch.randn(2, 3, 8, 8) for _ in range(2)]
    first = team.gradients(loss, shards)
    assert team.gradients(loss, shards) == pytest.approx(first, rel=1e-6)
    torch.optim.SGD(leader.parameters(), 0.1).step()
    after = team.gradients(loss, shards)
    assert after < first


def test_statistics_are_averaged() -> None:
    """Running statistics become the mean over the shards, once, and a frozen norm's stay."""
    leader = network().train()
    shards = [torch.randn(2, 3, 8, 8) + k for k in range(2)]
    means = [leader[0](shard).mean(dim=(0, 2, 3)).detach() for shard in shards]
    team = Team(leader, 2)
    team.gradients(loss, shards)
    torch.testing.assert_close(leader[1].running_mean, 0.1 * sum(means) / 2)
    assert leader[1].num_batches_tracked == 1
    leader[1].eval()
    before = leader[1].running_mean.clone()
    team.gradients(loss, shards)
    assert torch.equal(leader[1].running_mean, before)


def test_the_result_does_not_depend_on_who_is_faster() -> None:
    """A thread that waits for the other changes no bit."""
    shards = [torch.randn(2, 3, 8, 8) for _ in range(4)]

    def timed(slow: int) -> Callable[[nn.Module, Tensor], Tensor]:
        other_is_done = threading.Event()

        def wait_then_compute(module: nn.Module, shard: Tensor) -> Tensor:
            if shard is shards[slow]:
                assert other_is_done.wait(10)
            value = loss(module, shard)
            if shard is shards[1 - slow]:
                other_is_done.set()
            return value

        return wait_then_compute

    results = []
    for slow in range(2):
        leader = network()
        team = Team(leader, 2)
        results.append((team.gradients(timed(slow), shards), [weight.grad for weight in leader.parameters()]))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(a, b) for a, b in zip(results[0][1], results[1][1], strict=True))


def test_an_error_reaches_the_caller() -> None:
    """What goes wrong in a thread is raised where the step was asked for."""

    def broken(module: nn.Module, shard: Tensor) -> Tensor:
        raise ValueError("shard")

    with pytest.raises(ValueError, match="shard"):
        Team(network(), 2).gradients(broken, [torch.zeros(1)])
