"""The training loop: two stages within one budget, stoppable after any step, resumable to the bit."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from export.train.corpus import Corpus
from export.train.network import Speaker
from export.train.schedule import Budget
from export.train.stages import Joint, Stage, WarmUp

__all__ = ["Record", "Trainer", "TrainerConfig"]

AVERAGE_DECAY = 0.995


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Settings of a run.

    Attributes:
        width: Of the U-Net, 1.0 or 0.5.
        batch_size: Frames per step of the joint stage.
        budget: When to stop.
        warm_up: Share of the budget spent on the ear alone, 0.0 to 1.0.
    """

    width: float
    batch_size: int
    budget: Budget
    warm_up: float = 0.2


@dataclass(frozen=True)
class Record:
    """One step.

    Attributes:
        step: From 1 on.
        stage: ``warm-up`` or ``joint``.
        elapsed_s: Training time so far, interruptions not counted.
        loss: The stage's own.
    """

    step: int
    stage: str
    elapsed_s: float
    loss: float


class Trainer:
    """Holds everything a run consists of.

    Args:
        config: Settings.
        corpus: What to draw from; its generator is part of the state.
        speaker: The networks to train.

    Attributes:
        average: A running mean of the weights: what a run delivers.
    """

    def __init__(self, config: TrainerConfig, corpus: Corpus, speaker: Speaker) -> None:
        self.config, self.corpus = config, corpus
        self.speaker = speaker.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.speaker).requires_grad_(False).eval()
        self.step, self.elapsed_s = 0, 0.0
        self.stage = self._make_stage()

    @property
    def spent(self) -> float:
        """The share of the budget that is spent: 0.0 to 1.0."""
        return self.config.budget.spent(self.step, self.elapsed_s)

    def records(self) -> Iterator[Record]:
        """Train until the budget is spent; yield after each step. Between two steps the state is whole."""
        while (spent := self.spent) < 1:
            started_s = time.monotonic()
            if self.stage.name != self._stage_class().name:
                self.stage = self._make_stage()
            loss = self.stage.step(self._stage_progress(spent))
            self.step += 1
            self._average()
            self.elapsed_s += time.monotonic() - started_s
            yield Record(self.step, self.stage.name, self.elapsed_s, loss)

    def state_dict(self) -> dict[str, Any]:
        """Return everything ``load_state_dict`` needs to go on as if never interrupted: tensors and plain values."""
        return {
            "width": self.config.width,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "stage": self.stage.name,
            "speaker": self.speaker.state_dict(),
            "average": self.average.state_dict(),
            "extra": self.stage.extra.state_dict(),
            "optimizer": self.stage.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": self.corpus.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a run where ``state_dict`` was called."""
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.speaker.load_state_dict(state["speaker"])
        self.average.load_state_dict(state["average"])
        self.stage = _STAGES[state["stage"]](self.speaker, self.corpus, self.config.batch_size)
        self.stage.extra.load_state_dict(state["extra"])
        self.stage.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.corpus.rng.bit_generator.state = state["numpy_rng"]

    def _stage_class(self) -> type[WarmUp] | type[Joint]:
        return WarmUp if self.spent < self.config.warm_up else Joint

    def _stage_progress(self, spent: float) -> float:
        warm_up = self.config.warm_up
        return spent / warm_up if spent < warm_up else (spent - warm_up) / (1 - warm_up)

    def _make_stage(self) -> Stage:
        return self._stage_class()(self.speaker, self.corpus, self.config.batch_size)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.parameters(), self.speaker.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
        for mean, value in zip(self.average.buffers(), self.speaker.buffers(), strict=True):
            mean.copy_(value)


_STAGES: dict[str, Callable[[Speaker, Corpus, int], Stage]] = {WarmUp.name: WarmUp, Joint.name: Joint}
