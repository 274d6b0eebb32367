"""The two stages of training: first the ear alone, then ear and painter together."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

from export.train.augment import augment
from export.train.corpus import Corpus, Speech
from export.train.loss import draw_box, mix_reference, mouth_weights, picture_loss
from export.train.network import Speaker, freeze_statistics
from export.train.schedule import one_cycle

__all__ = ["Joint", "Stage", "WarmUp"]

WAIST = 10
PATCH = 4
THUMBNAIL = WAIST * PATCH

WARM_UP_RUNS, WARM_UP_LENGTH = 4, 8
WARM_UP_RATE, WARM_UP_DECAY = 1e-3, 0.05

JOINT_LENGTH, JOINT_STRIDE = 4, 2
PAINTER_RATE, EAR_RATE, JOINT_DECAY = 2e-3, 3e-4, 1e-2
FREEZE_AT = 0.5
"""From this share of the joint stage on, batch norm uses its running statistics, as when served."""

CALIBRATION_BATCHES = 12
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


class WarmUp:
    """Teach encoder and audio branch to draw the mouth as a thumbnail, straight from the sound.

    A step costs a fraction of a whole one, and the loss, the share of the thumbnails' variance that the sound does not
    explain, says plainly whether the ear hears. What it draws comes from the dataset itself: no phonemes, no pretrained
    network. The painter then starts with features that already mean mouth shapes, at the place where they belong.

    Args:
        speaker: Encoder and U-Net; of the latter only the audio branch is trained.
        corpus: What to draw from.
        batch_size: Frames per step.
    """

    name = "warm-up"

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int) -> None:
        self.speaker, self.corpus = speaker, corpus
        self.runs = max(1, batch_size // 2)
        channels = speaker.unet.audio_model.conv5.out_channels
        self.extra = nn.Conv2d(channels, 3 * PATCH**2, 1)
        nn.init.zeros_(self.extra.weight)  # begins with the mean mouth, a loss of 1
        parameters = [
            *speaker.encoder.parameters(),
            *speaker.unet.audio_model.parameters(),
            *self.extra.parameters(),
        ]
        self.optimizer = torch.optim.AdamW(parameters, WARM_UP_RATE, weight_decay=WARM_UP_DECAY)
        thumbnails = corpus.thumbnails(THUMBNAIL)
        self.targets = thumbnails - thumbnails.mean(0)
        weights = interpolate(mouth_weights()[None, None], size=THUMBNAIL, mode="area")[0, 0]
        self.weights = (weights - weights.min()) / float((self.targets**2 * (weights - weights.min())).mean())

    def step(self, progress: float) -> float:
        """Make one step and return the share of variance left unexplained."""
        self.speaker.train()
        runs = self.corpus.draw_runs(self.runs, WARM_UP_LENGTH, 1)
        heard = self.speaker.unet.audio_model(self.speaker.hear(self.corpus.speech(runs, augment)))
        drawn = pixel_shuffle(self.extra(heard), PATCH)  # (B, 3, 40, 40)
        loss = ((drawn - self.targets[runs.ravel()]) ** 2 * self.weights).mean()
        return _descend(self.optimizer, loss, one_cycle(progress))


class Calibration(nn.Module):
    """Remembers, across interruptions, whether the statistics were measured on whole pictures."""

    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.tensor(False))


class Joint:
    """Train encoder and U-Net together to paint the target's mouth from another frame's and the sound.

    Args:
        speaker: Encoder and U-Net.
        corpus: What to draw from.
        batch_size: Frames per step.
    """

    name = "joint"

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int) -> None:
        self.speaker, self.corpus = speaker, corpus
        self.runs, self.length = max(1, batch_size // JOINT_LENGTH), min(batch_size, JOINT_LENGTH)
        self.extra = Calibration()
        ear = [*speaker.encoder.parameters(), *speaker.unet.audio_model.parameters()]
        known = set(map(id, ear))
        painter = [parameter for parameter in speaker.unet.parameters() if id(parameter) not in known]
        groups = [{"params": painter, "lr": PAINTER_RATE}, {"params": ear, "lr": EAR_RATE}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=JOINT_DECAY)
        self.weights = mouth_weights()

    def step(self, progress: float) -> float:
        """Make one step and return the picture loss."""
        self._set_modes(progress)
        references, targets, speech = self._draw()
        box = draw_box(self.corpus.rng)
        painted = self.speaker(references, targets, speech, box)
        loss = picture_loss(painted, targets, self.weights, box)
        return _descend(self.optimizer, loss, one_cycle(progress))

    def _draw(self) -> tuple[Tensor, Tensor, Speech]:
        """Return references, targets and the sound around them."""
        runs = self.corpus.draw_runs(self.runs, self.length, JOINT_STRIDE)
        targets = self.corpus.pictures(runs)
        others = self.corpus.pictures(self.corpus.draw_rows(runs.size))
        return mix_reference(targets, others), targets, self.corpus.speech(runs, augment)

    def _set_modes(self, progress: float) -> None:
        self.speaker.train()
        if progress < FREEZE_AT:
            freeze_statistics([self.speaker.encoder, self.speaker.unet.audio_model])
            return
        if not self.extra.done:
            self._calibrate()
        freeze_statistics([self.speaker])

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Measure the painter's statistics on whole pictures: so far its last level saw boxes only."""
        freeze_statistics([self.speaker.encoder, self.speaker.unet.audio_model])
        for norm in self.speaker.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.training:
                norm.reset_running_stats()
                norm.momentum = None  # a plain mean over the batches
        for _ in range(CALIBRATION_BATCHES):
            self.speaker(*self._draw())
        self.extra.done.fill_(True)


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor, factor: float) -> float:
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
