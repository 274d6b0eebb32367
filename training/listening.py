"""The first two stages: the audio encoder, then the audio branch, learn mouth shapes from sound, with nothing painted.

A step of either costs a fraction of a whole one. Its loss is the share of the mouths' variance that the sound does not
explain, so it shows directly how much has been learnt. The targets are computed from the dataset itself: no phonemes,
no pretrained network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

from export.network.audio_encoder import FEATURE_SIZE
from training.augment import augment
from training.codes import THUMBNAIL, mouth_codes
from training.corpus import Corpus
from training.features import FeatureBank
from training.loss import mouth_weights
from training.network import Speaker, silenced
from training.stage import Learner, Stage

__all__ = ["Listen", "Place"]

LISTEN_BATCH, PLACE_BATCH = 64, 32
LISTEN_FRAMES = 5
"""Video frames that a mel window of 200 ms covers."""

SHARDS = 2
WAIST = 10
PATCH = THUMBNAIL // WAIST
RATE = 1e-3


class Heard(NamedTuple):
    """Sounds, and the frames they belong to: windows or features, and rows of ``Corpus.faces``."""

    sound: Tensor
    rows: NDArray[np.int64]


class Listen(Stage[nn.Linear, Heard]):
    """Teach the encoder to tell, from one mel window alone, the mouths of the five frames it covers.

    Args:
        speaker: Only its encoder is trained.
        corpus: What to draw from.
        batch_size: Unused: this stage has its own.
        threads: How many work at the same time.
    """

    name = "listen"
    weight_decay = 0.05

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int, threads: int) -> None:
        del batch_size
        self.codes = mouth_codes(corpus.thumbnails(THUMBNAIL))
        head = silenced(nn.Linear(FEATURE_SIZE, LISTEN_FRAMES * self.codes.shape[1]))
        groups = [{"params": [*speaker.encoder.parameters(), *head.parameters()], "lr": RATE}]
        super().__init__(speaker, head, corpus, groups, shards=SHARDS, threads=threads)

    def draw(self) -> Heard:
        """Draw windows and the five frames of each."""
        runs = self.corpus.draw_runs(LISTEN_BATCH // SHARDS, LISTEN_FRAMES, 1)
        return Heard(self.corpus.windows(runs, augment), runs)

    def loss(self, learner: Learner[nn.Linear], shard: Heard) -> Tensor:
        """Return the share of the codes' variance left unexplained."""
        told = learner.extra(learner.speaker.encoder(shard.sound))
        error: Tensor = told - self.codes[shard.rows].flatten(1)
        return error.square().sum(1).mean() / LISTEN_FRAMES


class Place(Stage[nn.Conv2d, Heard]):
    """Teach the U-Net's audio branch to place what is heard where the mouth is, by drawing it as a thumbnail.

    The encoder is not trained meanwhile: its features are computed once, and the frames of a step come from anywhere.

    Args:
        speaker: Only the U-Net's audio branch is trained.
        corpus: What to draw from.
        batch_size: Unused: this stage has its own.
        threads: How many work at the same time.
    """

    name = "place"
    weight_decay = 0.05

    def __init__(self, speaker: Speaker, corpus: Corpus, batch_size: int, threads: int) -> None:
        del batch_size
        branch = speaker.unet.audio_model
        head = silenced(nn.Conv2d(branch.conv5.out_channels, 3 * PATCH**2, 1))
        groups = [{"params": [*branch.parameters(), *head.parameters()], "lr": RATE}]
        super().__init__(speaker, head, corpus, groups, shards=SHARDS, threads=threads)
        thumbnails = corpus.thumbnails(THUMBNAIL)
        self.targets = thumbnails - thumbnails.mean(0)
        self.weights = _thumbnail_weights(self.targets)
        self.features = FeatureBank(corpus, speaker.encoder)

    def draw(self) -> Heard:
        """Draw frames and their windows of feature vectors."""
        rows, features = self.features.draw(PLACE_BATCH // SHARDS)
        return Heard(features, rows)

    def loss(self, learner: Learner[nn.Conv2d], shard: Heard) -> Tensor:
        """Return the share of the thumbnails' variance left unexplained."""
        drawn = pixel_shuffle(learner.extra(learner.speaker.unet.audio_model(shard.sound)), PATCH)
        error = drawn - self.targets[shard.rows]  # (B, 3, 40, 40)
        return (error.square() * self.weights).mean()


def _thumbnail_weights(targets: Tensor) -> Tensor:
    """Return weights (40, 40), 0 away from the mouth, under which the targets' variance is 1."""
    weights = interpolate(mouth_weights()[None, None], size=THUMBNAIL, mode="area")[0, 0]
    weights = weights - weights.min()
    return weights / (targets.square() * weights).mean()
