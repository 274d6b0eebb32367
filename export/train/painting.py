"""The last and longest stage: ear and painter are trained together, on the pictures themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.train.augment import augment
from export.train.corpus import Corpus, Speech
from export.train.loss import draw_box, mix_reference, mouth_weights, picture_loss
from export.train.network import Speaker, freeze_statistics
from export.train.stage import descend, one_cycle

__all__ = ["Paint"]

RUN_LENGTH, RUN_STRIDE = 4, 2
PAINTER_RATE, EAR_RATE, DECAY = 2e-3, 3e-4, 1e-2
FREEZE_AT = 0.3
"""From this share of the stage on, batch norm uses its running statistics, as when served."""

CALIBRATION_BATCHES = 12


class Calibration(nn.Module):
    """Remembers, across interruptions, whether the statistics were measured on whole pictures."""

    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.tensor(False))


class Paint:
    """Train encoder and U-Net to paint the target's mouth from another frame's and the sound.

    Args:
        speaker: Encoder and U-Net.
        corpus: What to draw from.
        batch_size: Frames per step.
    """

    name = "paint"

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int) -> None:
        self.speaker, self.corpus = speaker, corpus
        self.runs, self.length = max(1, batch_size // RUN_LENGTH), min(batch_size, RUN_LENGTH)
        self.extra = Calibration()
        self.ear = (speaker.encoder, speaker.unet.audio_model)
        ear = [parameter for module in self.ear for parameter in module.parameters()]
        known = set(map(id, ear))
        painter = [parameter for parameter in speaker.unet.parameters() if id(parameter) not in known]
        groups = [{"params": painter, "lr": PAINTER_RATE}, {"params": ear, "lr": EAR_RATE}]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)
        self.weights = mouth_weights()

    def step(self, progress: float) -> float:
        """Make one step and return the picture loss."""
        self._set_modes(progress)
        references, targets, speech = self._draw()
        box = draw_box(self.corpus.rng)
        painted = self.speaker(references, targets, speech, box)
        loss = picture_loss(painted, targets, self.weights, box)
        return descend(self.optimizer, loss, one_cycle(progress))

    def _draw(self) -> tuple[Tensor, Tensor, Speech]:
        """Return references, targets and the sound around them."""
        runs = self.corpus.draw_runs(self.runs, self.length, RUN_STRIDE)
        targets = self.corpus.pictures(runs)
        others = self.corpus.pictures(self.corpus.draw_rows(runs.size))
        return mix_reference(targets, others), targets, self.corpus.speech(runs, augment)

    def _set_modes(self, progress: float) -> None:
        self.speaker.train()
        freeze_statistics(self.ear)
        if progress < FREEZE_AT:
            return
        if not self.extra.done:
            self._calibrate()
        freeze_statistics([self.speaker])

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Measure the painter's statistics on whole pictures: so far its last level saw boxes only."""
        for norm in self.speaker.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.training:
                norm.reset_running_stats()
                norm.momentum = None  # a plain mean over the batches
        for _ in range(CALIBRATION_BATCHES):
            self.speaker(*self._draw())
        self.extra.done.fill_(True)
