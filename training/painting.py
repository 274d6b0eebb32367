"""The last two stages: the U-Net learns to paint a small picture, then the whole one, from another frame's face."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from export.contract import UNET_328
from training.augment import augment
from training.corpus import Corpus, Speech
from training.features import FeatureBank
from training.loss import draw_box, mix_reference, mouth_weights, picture_loss
from training.network import FACE, Box, Speaker, freeze_statistics, silenced, with_masked
from training.stage import Learner, Stage

__all__ = ["Paint", "Sketch"]

SKETCH_SIZE = 80
SKETCH_SHARDS, SKETCH_FRAMES = 2, 8
RUN_LENGTH, RUN_STRIDE = 4, 2
RATE, EAR_RATE = 2e-3, 3e-4
FREEZE_AT = 0.45
"""From this share of the last stage on, batch norm uses its running statistics, as when served."""

CALIBRATION_BATCHES = 24


class Sketched(NamedTuple):
    """Frames to sketch: references and targets (B, 3, 320, 320), audio (B, 32, 16, 16), all float32."""

    references: Tensor
    targets: Tensor
    audio: Tensor


class Sketch(Stage[nn.Conv2d, Sketched]):
    """Teach all of the U-Net below its two upper levels, by a picture of 80 x 80.

    Three quarters of a whole step's cost lie in the two levels left out; they see the reference's pixels directly, and
    trained from the start they learn to copy its mouth before anything else. Here there is only the sound to paint a
    mouth from. What is painted is the difference from the mean face.

    Args:
        speaker: Its encoder is not trained.
        corpus: What to draw from.
        batch_size: Unused: a sketch is cheap.
        threads: How many work at the same time.
    """

    name = "sketch"
    weight_decay = 0.01

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int, threads: int) -> None:
        del batch_size
        unet = speaker.unet
        head = silenced(nn.Conv2d(unet.outc.conv.in_channels * 2, 3, 1))
        trained = [unet.down2, unet.down3, unet.down4, unet.down5, unet.audio_model, unet.fuse_conv]
        trained += [unet.up1, unet.up2, unet.up3, head]
        groups = [{"params": [weight for module in trained for weight in module.parameters()], "lr": RATE}]
        super().__init__(speaker, head, corpus, groups, shards=SKETCH_SHARDS, threads=threads)
        self.features = FeatureBank(corpus, speaker.encoder)
        self.mean = corpus.mean_face(SKETCH_SIZE)
        weights = interpolate(mouth_weights()[None, None], size=SKETCH_SIZE, mode="area")[0, 0]
        self.weights = weights / weights.mean()

    def set_modes(self, progress: float) -> None:
        """Train all but the statistics of the audio branch."""
        self.learner.train()
        freeze_statistics([self.learner.speaker.unet.audio_model])

    def draw(self) -> Sketched:
        """Draw frames from all over the corpus, their sound and other frames' mouths."""
        rows, audio = self.features.draw(SKETCH_FRAMES)
        targets = self.corpus.pictures(rows)
        others = self.corpus.pictures(self.corpus.draw_rows(SKETCH_FRAMES))
        return Sketched(mix_reference(targets, others), targets, audio)

    def loss(self, learner: Learner[nn.Conv2d], shard: Sketched) -> Tensor:
        """Return the weighted L1 distance of the small pictures."""
        waist = learner.speaker.sketch(with_masked(shard.references, shard.targets), shard.audio)
        drawn: Tensor = learner.extra(waist) + self.mean
        error = drawn - avg_pool2d(shard.targets, UNET_328.face_size // SKETCH_SIZE)
        return (error.abs() * self.weights).mean()


class Painted(NamedTuple):
    """Frames to paint: references and targets (B, 3, 320, 320) float32, the sound around them, and where to paint."""

    references: Tensor
    targets: Tensor
    speech: Speech
    box: Box


class Calibration(nn.Module):
    """Remembers, across interruptions, whether the statistics were measured on whole pictures."""

    done: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("done", torch.tensor(False))


class Paint(Stage[Calibration, Painted]):
    """Train encoder and U-Net together to paint the target's mouth from another frame's and the sound.

    Args:
        speaker: Encoder and U-Net.
        corpus: What to draw from.
        batch_size: Frames per step.
        threads: How many work at the same time.
    """

    name = "paint"
    weight_decay = 0.01

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int, threads: int) -> None:
        ear = [weight for module in _ear(speaker) for weight in module.parameters()]
        known = set(map(id, ear))
        painter = [weight for weight in speaker.unet.parameters() if id(weight) not in known]
        groups = [{"params": painter, "lr": RATE}, {"params": ear, "lr": EAR_RATE}]
        self.length = min(batch_size, RUN_LENGTH)
        shards = max(1, batch_size // RUN_LENGTH)
        super().__init__(speaker, Calibration(), corpus, groups, shards=shards, threads=threads)
        self.weights = mouth_weights()

    def set_modes(self, progress: float) -> None:
        """Train all but the audio layers' statistics; from ``FREEZE_AT`` on, no statistics at all."""
        self.learner.train()
        freeze_statistics(_ear(self.learner.speaker))
        if progress < FREEZE_AT:
            return
        if not self.learner.extra.done:
            self._calibrate()
        freeze_statistics([self.learner.speaker])

    def draw(self) -> Painted:
        """Draw a run of frames, the sound around it, other frames' mouths, and a box."""
        rows = self.corpus.draw_runs(1, self.length, RUN_STRIDE)
        targets = self.corpus.pictures(rows)
        others = self.corpus.pictures(self.corpus.draw_rows(rows.size))
        speech = self.corpus.speech(rows, augment)
        return Painted(mix_reference(targets, others), targets, speech, draw_box(self.corpus.rng))

    def loss(self, learner: Learner[Calibration], shard: Painted) -> Tensor:
        """Return the picture loss inside the box."""
        painted = learner.speaker(shard.references, shard.targets, shard.speech, shard.box)
        return picture_loss(painted, shard.targets, self.weights, shard.box)

    @torch.no_grad()
    def _calibrate(self) -> None:
        """Measure the U-Net's statistics on whole pictures: so far its last level saw boxes only."""
        speaker = self.learner.speaker
        for norm in speaker.modules():
            if isinstance(norm, nn.BatchNorm2d) and norm.training:
                norm.reset_running_stats()
                norm.momentum = None  # a plain mean over the batches
        for _ in range(CALIBRATION_BATCHES):
            shard = self.draw()
            speaker(shard.references, shard.targets, shard.speech, FACE)
        self.learner.extra.done.fill_(True)


def _ear(speaker: Speaker) -> tuple[nn.Module, nn.Module]:
    """Return what turns sound into features at the waist; its statistics stay those of the first two stages."""
    return speaker.encoder, speaker.unet.audio_model
