"""What the stages of training have in common."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

__all__ = ["Stage", "descend", "one_cycle"]

RISE = 0.1
START, END = 0.1, 0.01
LARGEST_GRADIENT = 1.0


class Stage(Protocol):
    """One stage: its own loss and optimiser on the shared networks."""

    @property
    def name(self) -> str:
        """The stage's name."""
        ...

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """Moves the networks' weights."""
        ...

    @property
    def extra(self) -> nn.Module:
        """What the stage learns or remembers for itself."""
        ...

    def step(self, progress: float) -> float:
        """Make one step at ``progress``, 0.0 to 1.0, of the stage and return its loss."""
        ...


def one_cycle(progress: float) -> float:
    """Return the factor of the learning rate: up from 0.1 in the first tenth, then along a cosine to 0.01."""
    if progress < RISE:
        return START + (1 - START) * progress / RISE
    cosine = math.cos(math.pi * (progress - RISE) / (1 - RISE))
    return END + (1 - END) * (1 + cosine) / 2


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, factor: float) -> float:
    """Make one optimiser step at ``factor`` of the learning rates and return the loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(
        [p for group in optimizer.param_groups for p in group["params"]], LARGEST_GRADIENT
    )
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor
    optimizer.step()
    return loss.item()
