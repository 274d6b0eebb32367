"""The training loop: four stages within one budget, stoppable after any step, resumable to the bit."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from training.corpus import Corpus
from training.listening import Listen, Place
from training.network import Speaker
from training.painting import Paint, Sketch
from training.schedule import Budget, stage_at

__all__ = ["SHARES", "SHARES_WITH_ENCODER", "Record", "Trainer", "TrainerConfig"]

STAGES = (Listen, Place, Sketch, Paint)
SHARES = (0.15, 0.04, 0.21, 0.60)
"""Of the budget, by stage."""

SHARES_WITH_ENCODER = (0.0, 0.05, 0.25, 0.70)
"""The same where training begins with a trained encoder."""

AVERAGE_DECAY = 0.995


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Settings of a run.

    Attributes:
        width: Of the U-Net, 1.0 or 0.5.
        batch_size: Frames per step of the last stage.
        budget: When to stop.
        shares: Of the budget, by stage: listen, place, sketch, paint; together 1.0.
        threads: How many cores to use.
    """

    width: float
    batch_size: int
    budget: Budget
    shares: tuple[float, float, float, float] = SHARES
    threads: int = 1


@dataclass(frozen=True)
class Record:
    """One step.

    Attributes:
        step: From 1 on.
        stage: ``listen``, ``place``, ``sketch`` or ``paint``.
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
        self.stage = self._make_stage(self._position()[0])

    @property
    def spent(self) -> float:
        """The share of the budget that is spent: 0.0 to 1.0."""
        return self.config.budget.spent(self.step, self.elapsed_s)

    def records(self) -> Iterator[Record]:
        """Train until the budget is spent; yield after each step. Between two steps the state is whole."""
        while self.spent < 1:
            started_s = time.monotonic()
            index, progress = self._position()
            if self.stage.name != STAGES[index].name:
                self.stage = self._make_stage(index)
            loss = self.stage.step(progress)
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
            "extra": self.stage.learner.extra.state_dict(),
            "optimizer": self.stage.optimizer.state_dict(),
            "torch_rng": torch.get_rng_state(),
            "numpy_rng": self.corpus.rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a run where ``state_dict`` was called."""
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.speaker.load_state_dict(state["speaker"])
        self.average.load_state_dict(state["average"])
        self.stage = self._make_stage([stage.name for stage in STAGES].index(state["stage"]))
        self.stage.learner.extra.load_state_dict(state["extra"])
        self.stage.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.corpus.rng.bit_generator.state = state["numpy_rng"]

    def _position(self) -> tuple[int, float]:
        return stage_at(self.spent, self.config.shares)

    def _make_stage(self, index: int) -> Listen | Place | Sketch | Paint:
        config = self.config
        return STAGES[index](self.speaker, self.corpus, config.batch_size, config.threads)

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        for mean, value in zip(self.average.parameters(), self.speaker.parameters(), strict=True):
            mean.lerp_(value, 1 - decay)
        for mean, value in zip(self.average.buffers(), self.speaker.buffers(), strict=True):
            mean.copy_(value)
