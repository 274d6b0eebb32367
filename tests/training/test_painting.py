from __future__ import annotations

import pytest
import torch

from training.corpus import Corpus
from training.network import Speaker
from training.painting import Paint, Sketch


@pytest.fixture
def stage(corpus: Corpus) -> Paint:
    torch.manual_seed(0)
    return Paint(Speaker(0.5), corpus, 2, 1)


def test_moves_all_weights(stage: Paint) -> None:
    """Encoder, audio branch and painter are trained together."""
    before = {key: value.clone() for key, value in stage.learner.speaker.named_parameters()}
    stage.step(0.1)
    same = [key for key, value in stage.learner.speaker.named_parameters() if torch.equal(value, before[key])]
    assert same == []


def test_the_loss_falls(stage: Paint) -> None:
    """A few steps on a simple face bring the loss down by a third."""
    losses = [stage.step(0.1) for _ in range(12)]
    assert sum(losses[-3:]) < 0.67 * sum(losses[:3])


def test_statistics_are_measured_once_then_frozen(stage: Paint) -> None:
    """Late in the stage, batch norm uses statistics of whole pictures, which no step changes any more."""
    norm = stage.learner.speaker.unet.inc.inconv[0].conv[1]
    stage.step(0.1)
    first = norm.running_mean.clone()
    stage.step(0.9)
    assert stage.learner.extra.done
    calibrated = norm.running_mean.clone()
    assert not torch.equal(calibrated, first)
    stage.step(0.95)
    assert torch.equal(norm.running_mean, calibrated)


def test_the_ear_keeps_its_statistics(stage: Paint) -> None:
    """The few sounds of a step are no measure of all: the ear's statistics stay those of the stages before."""
    norm = stage.learner.speaker.encoder.audio_encoder[0].conv_block[1]
    before = norm.running_mean.clone()
    stage.step(0.1)
    assert torch.equal(norm.running_mean, before)


def test_small_batches(corpus: Corpus) -> None:
    """A batch of one frame is one run of one frame."""
    shard = Paint(Speaker(0.5), corpus, 1, 1).draw()
    assert shard.references.shape == shard.targets.shape == (1, 3, 320, 320)
    assert shard.speech.layout.shape == (1, 16)


def test_larger_batches_are_runs_of_four(corpus: Corpus) -> None:
    """Eight frames are two runs, from two places, for two threads."""
    stage = Paint(Speaker(0.5), corpus, 8, 2)
    assert stage.shards == 2
    assert stage.draw().targets.shape == (4, 3, 320, 320)
    assert len(stage.team.replicas) == 2


def test_a_sketch_learns_what_is_below_the_upper_levels(corpus: Corpus) -> None:
    """Entrance, exit and encoder rest; the loss falls from that of the mean face."""
    torch.manual_seed(0)
    speaker = Speaker(0.5)
    stage = Sketch(speaker, corpus, 8, 2)
    before = {key: value.clone() for key, value in speaker.named_parameters()}
    losses = [stage.step(0.1) for _ in range(10)]
    moved = {
        key.split(".")[1] for key, value in speaker.named_parameters() if not torch.equal(value, before[key])
    }
    assert moved == {"down2", "down3", "down4", "down5", "audio_model", "fuse_conv", "up1", "up2", "up3"}
    assert sum(losses[-3:]) < sum(losses[:3])
