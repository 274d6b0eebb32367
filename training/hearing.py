"""Teach trained networks to hear new voices, and leave what they paint alone.

Painting is four fifths of a training's cost, and a network that paints its character well has nothing to learn there
when it is to follow other voices: ``training.waist`` knows what its painter wants to hear for each mouth. Two stages
share the budget: in the first the encoder learns to tell mouths from single mel windows of all voices, in the second
encoder and audio branch learn to say what the painter wants.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from export.network.audio_encoder import FEATURE_SIZE, AveEncoder
from training.network import Speaker, silenced
from training.schedule import Budget, stage_at
from training.spoken import LISTEN_FRAMES, Span, SpokenCorpus
from training.stage import LARGEST_GRADIENT, one_cycle
from training.statistics import measure_statistics
from training.team import Team
from training.waist import Waist

__all__ = ["Ear", "Heard", "HearingConfig", "teach"]

SHARES = (0.2, 0.8)
LISTEN_BATCH, LISTEN_SHARDS = 128, 2
SPAN, STRIDE, SPAN_SHARDS = 16, 2, 4
LISTEN_RATE, ENCODER_RATE, BRANCH_RATE = 1e-3, 6e-4, 1e-3
LISTEN_DECAY, SAY_DECAY = 0.05, 0.02
AVERAGE_DECAY = 0.99
REST_WEIGHT, OWN_WEIGHT, COVERED_WEIGHT = 0.1, 0.5, 0.3
EXAMPLES = 512
LARGEST_POSE = 1.05


class Heard(NamedTuple):
    """One step: which, in which of the two stages, training time so far, and the stage's loss."""

    step: int
    stage: str
    elapsed_s: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class HearingConfig:
    """Settings of a run.

    Attributes:
        budget: When to stop.
        opening_gain: How much farther than the truth the mouth is asked to open: a painter that was trained on
            pictures opens a mouth a little less than it hears.
        weights: How much each number of a pose counts.
        threads: How many cores to use.
    """

    budget: Budget
    opening_gain: float
    weights: tuple[float, ...]
    threads: int = 1


class Ear(nn.Module):
    """What is trained: the encoder, the audio branch, and a head that tells the poses a window covers.

    Args:
        speaker: Its encoder and audio branch are trained in place.
        poses: Numbers in a pose.
    """

    def __init__(self, speaker: Speaker, poses: int) -> None:
        super().__init__()
        self.encoder: AveEncoder = speaker.encoder
        self.branch = speaker.unet.audio_model
        self.head = silenced(nn.Linear(FEATURE_SIZE, LISTEN_FRAMES * poses))

    def told(self, vectors: Tensor) -> Tensor:
        """Return the poses that feature vectors tell: (V, 512) to (V, 5, P)."""
        poses: Tensor = self.head(vectors)
        return poses.reshape(len(poses), LISTEN_FRAMES, -1)

    def said(self, vectors: Tensor, layout: Tensor) -> Tensor:
        """Return what the branch says: vectors (V, 512) and layout (F, 16) to (F, 256, 10, 10)."""
        said: Tensor = self.branch(vectors[layout].reshape(len(layout), -1, 16, 16))
        return said


def teach(
    speaker: Speaker,
    corpus: SpokenCorpus,
    waist: Waist,
    config: HearingConfig,
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Heard]:
    """Train a speaker's encoder and audio branch; yield after each step. At the end they hold a mean of their weights.

    Args:
        speaker: Trained; what it paints with is not changed.
        corpus: The voices to hear, old ones among them.
        waist: What the speaker's painter wants to hear.
        config: Settings.
        interrupted: Asked after each step; training ends when it says yes.
    """
    lesson = _Lesson(speaker, corpus, waist, config)
    step, elapsed_s = 0, 0.0
    while (spent := config.budget.spent(step, elapsed_s)) < 1:
        started_s = time.monotonic()
        stage, progress = stage_at(spent, SHARES)
        loss = lesson.listen(progress) if stage == 0 else lesson.say(progress)
        step += 1
        elapsed_s += time.monotonic() - started_s
        yield Heard(step, ("listen", "say")[stage], elapsed_s, loss)
        if interrupted():
            break
    lesson.finish()


class _Lesson:
    """Networks, optimisers and the running mean of one run."""

    def __init__(self, speaker: Speaker, corpus: SpokenCorpus, waist: Waist, config: HearingConfig) -> None:
        self.speaker, self.corpus, self.waist, self.config = speaker, corpus, waist, config
        poses = torch.cat([torch.from_numpy(take.poses) for take in corpus.takes])
        self.mean, self.scale = poses.mean(0), poses.std(0) + 1e-6
        self.weights = torch.tensor(config.weights)
        self.weights = self.weights / self.weights.mean()
        measure_statistics(speaker.encoder, corpus.draw_windows(EXAMPLES)[0])
        self.ear = Ear(speaker, poses.shape[1]).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.ear).eval()
        self.team = Team(self.ear, config.threads)
        self.step = 0
        parts = [*self.ear.encoder.parameters(), *self.ear.head.parameters()]
        self.listening = torch.optim.AdamW(parts, lr=LISTEN_RATE, weight_decay=LISTEN_DECAY)
        self.saying: torch.optim.Optimizer | None = None

    def listen(self, progress: float) -> float:
        """Make a step of the first stage: poses from single windows, with batches for statistics."""
        self.ear.train()
        shards = [self.corpus.draw_windows(LISTEN_BATCH // LISTEN_SHARDS) for _ in range(LISTEN_SHARDS)]
        loss = self.team.gradients(
            lambda ear, shard: self._covered(ear.told(ear.encoder(shard[0])), shard[1]), shards
        )
        self._move(self.listening, (LISTEN_RATE,), progress)
        return loss

    def say(self, progress: float) -> float:
        """Make a step of the second stage: what the painter wants, with statistics as they are."""
        if self.saying is None:
            self.saying = self._begin_to_say()
        self.ear.eval()
        shards = [self.corpus.draw_span(SPAN, STRIDE) for _ in range(SPAN_SHARDS)]
        loss = self.team.gradients(self._said, shards)
        self._move(self.saying, (ENCODER_RATE, BRANCH_RATE), progress)
        return loss

    def finish(self) -> None:
        """Give the speaker the mean of the weights."""
        self.ear.load_state_dict(self.average.state_dict())
        self.speaker.eval()

    def _begin_to_say(self) -> torch.optim.Optimizer:
        """Go on with the mean of the first stage, and give the branch statistics of its new input."""
        self.ear.load_state_dict(self.average.state_dict())
        self.ear.eval()
        with torch.no_grad():
            spans = [self.corpus.draw_span(SPAN, STRIDE) for _ in range(EXAMPLES // SPAN)]
            vectors = [self.ear.encoder(span.windows)[span.layout] for span in spans]
        measure_statistics(self.ear.branch, torch.cat(vectors).reshape(-1, 32, 16, 16))
        self.average.load_state_dict(self.ear.state_dict())
        self.step = 0
        groups = [
            {"params": [*self.ear.encoder.parameters(), *self.ear.head.parameters()]},
            {"params": self.ear.branch.parameters()},
        ]
        return torch.optim.AdamW(groups, lr=ENCODER_RATE, weight_decay=SAY_DECAY)

    def _covered(self, told: Tensor, poses: Tensor) -> Tensor:
        error: Tensor = told - (poses - self.mean) / self.scale
        return (error.square() * self.weights).mean()

    def _said(self, ear: Ear, span: Span) -> Tensor:
        vectors = ear.encoder(span.windows)
        said = ear.said(vectors, span.layout)
        wished = span.poses.clone()
        wished[..., 0] = (wished[..., 0] * self.config.opening_gain).clamp(max=LARGEST_POSE)
        components = self.waist.components(said)
        loss = (components - self.waist.wanted(wished)).square().sum(1).mean()
        own = components @ self.waist.readout - self.waist.own_pose(wished)
        loss = loss + OWN_WEIGHT * (own.square() * self.weights).mean()
        loss = loss + REST_WEIGHT * self.waist.unexplained(said, components)
        return loss + COVERED_WEIGHT * self._covered(ear.told(vectors), span.covered)

    def _move(self, optimizer: torch.optim.Optimizer, rates: tuple[float, ...], progress: float) -> None:
        nn.utils.clip_grad_norm_(self.ear.parameters(), LARGEST_GRADIENT)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * one_cycle(progress)
        optimizer.step()
        self.step += 1
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.average.parameters(), self.ear.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
            for mean, value in zip(self.average.buffers(), self.ear.buffers(), strict=True):
                mean.copy_(value)
