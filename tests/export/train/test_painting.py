from __future__ import annotations

import pytest
import torch

from export.train.corpus import Corpus
from export.train.network import Speaker
from export.train.painting import Paint


@pytest.fixture
def stage(corpus: Corpus) -> Paint:
    torch.manual_seed(0)
    return Paint(Speaker(0.5), corpus, 2)


def test_moves_all_weights(stage: Paint) -> None:
    """Encoder, audio branch and painter are trained together."""
    before = {key: value.clone() for key, value in stage.speaker.named_parameters()}
    stage.step(0.1)
    same = [key for key, value in stage.speaker.named_parameters() if torch.equal(value, before[key])]
    assert same == []


def test_the_loss_falls(stage: Paint) -> None:
    """A few steps on a simple face bring the loss down by a third."""
    losses = [stage.step(0.1) for _ in range(12)]
    assert sum(losses[-3:]) < 0.67 * sum(losses[:3])


def test_statistics_are_measured_once_then_frozen(stage: Paint) -> None:
    """Late in the stage, batch norm uses statistics of whole pictures, which no step changes any more."""
    norm = stage.speaker.unet.inc.inconv[0].conv[1]
    stage.step(0.1)
    first = norm.running_mean.clone()
    stage.step(0.9)
    assert stage.extra.done
    calibrated = norm.running_mean.clone()
    assert not torch.equal(calibrated, first)
    stage.step(0.95)
    assert torch.equal(norm.running_mean, calibrated)


def test_the_ear_keeps_its_statistics(stage: Paint) -> None:
    """The few sounds of a step are no measure of all: the ear's statistics stay those of the stages before."""
    norm = stage.speaker.encoder.audio_encoder[0].conv_block[1]
    before = norm.running_mean.clone()
    stage.step(0.1)
    assert torch.equal(norm.running_mean, before)


def test_small_batches(corpus: Corpus) -> None:
    """A batch of one frame is one run of one frame."""
    stage = Paint(Speaker(0.5), corpus, 1)
    references, targets, speech = stage._draw()
    assert references.shape == targets.shape == (1, 3, 320, 320)
    assert speech.layout.shape == (1, 16)
