from __future__ import annotations

import pytest
import torch

from training.corpus import Corpus
from training.features import FeatureBank
from training.network import Speaker


def test_holds_what_would_be_served(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame's window is what the encoder makes of its sound, zeros outside the take."""
    monkeypatch.setattr("training.features.augment", lambda mel, rng: mel)
    torch.manual_seed(0)
    speaker = Speaker(0.5).eval()
    rows, windows = FeatureBank(corpus, speaker.encoder).draw(20)
    assert windows.shape == (20, 32, 16, 16)
    with torch.inference_mode():
        heard = speaker.hear(corpus.speech(rows[:, None]))
    torch.testing.assert_close(windows, heard, atol=1e-4, rtol=1e-4)


def test_is_the_same_whenever_made(corpus: Corpus) -> None:
    """Whatever was drawn before, the bank holds the same frames, heard the same way."""
    encoder = Speaker(0.5).encoder.eval()
    first = FeatureBank(corpus, encoder)
    corpus.draw_rows(5)
    second = FeatureBank(corpus, encoder)
    state = corpus.rng.bit_generator.state
    rows, windows = first.draw(8)
    corpus.rng.bit_generator.state = state
    again = second.draw(8)
    assert (rows == again[0]).all()
    assert torch.equal(windows, again[1])


def test_leaves_the_encoder_in_its_mode(corpus: Corpus) -> None:
    """An encoder in training goes on training, and its statistics are not touched."""
    encoder = Speaker(0.5).encoder.train()
    before = encoder.audio_encoder[0].conv_block[1].running_mean.clone()
    FeatureBank(corpus, encoder)
    assert encoder.training
    assert torch.equal(encoder.audio_encoder[0].conv_block[1].running_mean, before)
