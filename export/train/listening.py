"""The first two stages: the ear learns to hear mouth shapes before there is a painter to ask for them.

A step of either costs a fraction of a whole one, and its loss, the share of the mouths' variance that the sound does
not explain, says plainly whether the ear hears. What is to be heard comes from the dataset itself: no phonemes, no
pretrained network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

from export.audio_encoder import FEATURE_SIZE
from export.train.augment import augment
from export.train.codes import THUMBNAIL, mouth_codes
from export.train.corpus import Corpus
from export.train.features import FeatureBank
from export.train.loss import mouth_weights
from export.train.network import Speaker
from export.train.stage import descend, one_cycle

__all__ = ["Listen", "Place"]

LISTEN_BATCH = 64
LISTEN_FRAMES = 5
"""A mel window of 200 ms covers so many video frames."""

PLACE_BATCH = 32
WAIST = 10
PATCH = THUMBNAIL // WAIST
RATE, DECAY = 1e-3, 0.05


class Listen:
    """Teach the encoder to tell, from one mel window alone, the mouths of the five frames it covers.

    Args:
        speaker: Only its encoder is trained.
        corpus: What to draw from.
        batch_size: Unused: the ear has its own.
    """

    name = "listen"

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int) -> None:
        del batch_size
        self.speaker, self.corpus = speaker, corpus
        self.codes = mouth_codes(corpus.thumbnails(THUMBNAIL))
        self.extra: nn.Module = _silent(nn.Linear(FEATURE_SIZE, LISTEN_FRAMES * self.codes.shape[1]))
        parameters = [*speaker.encoder.parameters(), *self.extra.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)

    def step(self, progress: float) -> float:
        """Make one step and return the share of variance left unexplained."""
        self.speaker.train()
        runs = self.corpus.draw_runs(LISTEN_BATCH, LISTEN_FRAMES, 1)
        heard = self.extra(self.speaker.encoder(self.corpus.windows(runs, augment)))
        error = heard - self.codes[runs].flatten(1)
        loss = error.square().sum(1).mean() / LISTEN_FRAMES
        return descend(self.optimizer, loss, one_cycle(progress))


class Place:
    """Teach the U-Net's audio branch to bring what is heard to where the mouth is: to draw it as a thumbnail.

    The encoder rests meanwhile: all features are computed once, and the frames of a step can come from anywhere.

    Args:
        speaker: Only the U-Net's audio branch is trained.
        corpus: What to draw from.
        batch_size: Unused: the ear has its own.
    """

    name = "place"

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int) -> None:
        del batch_size
        self.speaker, self.corpus = speaker, corpus
        self.branch = speaker.unet.audio_model
        self.extra: nn.Module = _silent(nn.Conv2d(self.branch.conv5.out_channels, 3 * PATCH**2, 1))
        parameters = [*self.branch.parameters(), *self.extra.parameters()]
        self.optimizer = torch.optim.AdamW(parameters, RATE, weight_decay=DECAY)
        thumbnails = corpus.thumbnails(THUMBNAIL)
        self.targets = thumbnails - thumbnails.mean(0)
        self.weights = _thumbnail_weights(self.targets)
        self.features = FeatureBank(corpus, speaker.encoder)

    def step(self, progress: float) -> float:
        """Make one step and return the share of variance left unexplained."""
        self.speaker.train()
        rows, features = self.features.draw(PLACE_BATCH)
        drawn = pixel_shuffle(self.extra(self.branch(features)), PATCH)  # (B, 3, 40, 40)
        error = drawn - self.targets[rows]
        return descend(self.optimizer, (error.square() * self.weights).mean(), one_cycle(progress))


def _thumbnail_weights(targets: Tensor) -> Tensor:
    """Return weights (40, 40), 0 away from the mouth, under which the targets' variance is 1."""
    weights = interpolate(mouth_weights()[None, None], size=THUMBNAIL, mode="area")[0, 0]
    weights = weights - weights.min()
    return weights / (targets.square() * weights).mean()


def _silent(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """Return a layer that gives zeros: the mean mouth, a loss of 1."""
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
