from __future__ import annotations

import pytest
import torch

from training.corpus import Corpus
from training.listening import Listen, Place
from training.network import Speaker


@pytest.fixture
def speaker() -> Speaker:
    torch.manual_seed(0)
    return Speaker(0.5)


def changed(speaker: Speaker, before: dict[str, torch.Tensor]) -> set[str]:
    """Return which networks have other weights than before."""
    names = {key for key, value in speaker.state_dict().items() if not torch.equal(value, before[key])}
    return {".".join(key.split(".")[:2]) for key in names}


def test_listening_moves_the_encoder_only(speaker: Speaker, corpus: Corpus) -> None:
    """It begins at a loss of about 1, the mean mouth, and the U-Net stays as it is."""
    before = {key: value.clone() for key, value in speaker.state_dict().items()}
    stage = Listen(speaker, corpus, 8, 2)
    assert stage.step(0) == pytest.approx(1, abs=0.6)
    assert changed(speaker, before) == {"encoder.audio_encoder"}


def test_placing_moves_the_audio_branch_only(speaker: Speaker, corpus: Corpus) -> None:
    """It begins at a loss of about 1, the mean mouth, and encoder and painter stay as they are."""
    before = {key: value.clone() for key, value in speaker.state_dict().items()}
    stage = Place(speaker, corpus, 8, 2)
    assert stage.step(0) == pytest.approx(1, abs=0.6)
    assert changed(speaker, before) == {"unet.audio_model"}


def test_placing_learns(speaker: Speaker, corpus: Corpus) -> None:
    """On a mouth that opens with loudness, the loss falls by a third within 40 steps."""
    stage = Place(speaker, corpus, 8, 2)
    losses = [stage.step(0.1) for _ in range(40)]
    assert sum(losses[-8:]) < 0.67 * sum(losses[:8])


def test_listening_learns(speaker: Speaker, corpus: Corpus) -> None:
    """On the same mouth, so does the encoder's, within 120 steps: it begins farther from the mouth."""
    stage = Listen(speaker, corpus, 8, 2)
    losses = [stage.step(0.1) for _ in range(120)]
    assert sum(losses[-8:]) < 0.67 * sum(losses[:8])
