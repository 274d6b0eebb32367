from __future__ import annotations

import numpy as np

from training.augment import _warp, augment
from training.takes import Take


def test_stays_in_range_and_shape(takes: list[Take]) -> None:
    """Whatever is drawn, the result is a mel spectrogram of the same size, and the original is untouched."""
    mel, before = takes[0].mel, takes[0].mel.copy()
    for seed in range(50):
        changed = augment(mel, np.random.default_rng(seed))
        assert changed.shape == mel.shape
        assert changed.dtype == np.float32
        assert changed.min() >= -4
        assert changed.max() <= 4
        assert (changed != mel).any()
    assert (mel == before).all()


def test_what_is_said_stays(takes: list[Take]) -> None:
    """The course of loudness, which the mouth follows, survives."""
    loudness = takes[0].mel.mean(axis=0)
    changed = [augment(takes[0].mel, np.random.default_rng(seed)).mean(axis=0) for seed in range(30)]
    assert np.median([np.corrcoef(loudness, other)[0, 1] for other in changed]) > 0.95


def test_silence_mostly_stays_silence() -> None:
    """Digital silence gets no gain or colour; only now and then the hum of a room."""
    silence = np.full((80, 60), -4, np.float32)
    changed = [augment(silence, np.random.default_rng(seed)) for seed in range(60)]
    quiet = sum((mel == -4).all() for mel in changed)
    assert 30 < quiet < 55
    assert max(mel.mean() for mel in changed) < -1.5


def test_bands_move_as_far_as_stated() -> None:
    """A band is read from a place up to 2 bands and 8 % away, and over many draws from almost as far."""
    matrices = [_warp(np.random.default_rng(seed)) for seed in range(400)]
    for band in (10, 40, 60):
        moved = np.abs([matrix[band] @ np.arange(80) - band for matrix in matrices])
        assert 0.85 * (2 + 0.08 * band) < moved.max() <= 2 + 0.08 * band + 1e-3
