"""What the stages of training have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from training.corpus import Corpus
from training.network import Speaker
from training.team import Team

__all__ = ["Learner", "Stage", "one_cycle"]

RISE = 0.1
START, END = 0.1, 0.01
LARGEST_GRADIENT = 1.0

Extra = TypeVar("Extra", bound=nn.Module)
Shard = TypeVar("Shard")


class Learner(nn.Module, Generic[Extra]):
    """The networks, and what a stage learns or remembers for itself."""

    def __init__(self, speaker: Speaker, extra: Extra) -> None:
        super().__init__()
        self.speaker = speaker
        self.extra = extra


class Stage(ABC, Generic[Extra, Shard]):
    """One stage: its own loss and optimiser on the shared networks.

    Args:
        speaker: Encoder and U-Net.
        extra: What the stage needs besides.
        corpus: What to draw from.
        groups: The weights to train, with their learning rates, as an optimiser takes them.
        shards: Parts of a step's batch, each drawn by itself.
        threads: How many work at the same time.
    """

    name: ClassVar[str]
    weight_decay: ClassVar[float]

    def __init__(
        self,
        speaker: Speaker,
        extra: Extra,
        corpus: Corpus,
        groups: list[dict[str, Any]],
        *,
        shards: int,
        threads: int,
    ) -> None:
        self.learner = Learner(speaker, extra)
        self.corpus = corpus
        self.optimizer = torch.optim.AdamW(groups, weight_decay=self.weight_decay)
        self.shards = shards
        self.team = Team(self.learner, min(threads, shards))

    @abstractmethod
    def draw(self) -> Shard:
        """Draw one part of a batch."""

    @abstractmethod
    def loss(self, learner: Learner[Extra], shard: Shard) -> Tensor:
        """Return the loss of one part of a batch, a scalar; called by several threads, each with its own learner."""

    def set_modes(self, progress: float) -> None:
        """Set what is trained and what is not at ``progress``, 0.0 to 1.0, of the stage."""
        self.learner.train()

    def step(self, progress: float) -> float:
        """Make one step at ``progress``, 0.0 to 1.0, of the stage and return its loss."""
        self.set_modes(progress)
        loss = self.team.gradients(self.loss, [self.draw() for _ in range(self.shards)])
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        nn.utils.clip_grad_norm_(weights, LARGEST_GRADIENT)
        for group in self.optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * one_cycle(progress)
        self.optimizer.step()
        return loss


def one_cycle(progress: float) -> float:
    """Return the factor of the learning rate: up from 0.1 in the first tenth, then along a cosine to 0.01."""
    if progress < RISE:
        return START + (1 - START) * progress / RISE
    cosine = math.cos(math.pi * (progress - RISE) / (1 - RISE))
    return END + (1 - END) * (1 + cosine) / 2
