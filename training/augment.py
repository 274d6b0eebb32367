"""Make one voice sound like many: random changes to a stretch of mel spectrogram that keep what is said.

The dataset of one person holds few voices, often one. A mouth that is to follow any voice needs an encoder that
ignores pitch, timbre, loudness and room.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speech.mel import FLOOR, MEL_BANDS

__all__ = ["augment"]

Mel = NDArray[np.float32]

MAX_SHIFT_BANDS = 2.0
MAX_STRETCH = 0.08
"""Formants of a child and of a man lie some 15 % apart."""

MAX_GAIN = 0.8
"""In the spectrogram's unit, 12.5 dB: 10 dB."""

EQUALISER_TERMS = 4
EQUALISER_GAIN = 0.35
MAX_NOISE = 0.12
MAX_NOISE_FLOOR = -2.2
MAX_MASKED_FRAMES = 3
MAX_MASKED_BANDS = 6
EDGE = 0.5
"""So far above the floor a change has its whole strength; digital silence stays digital silence."""


def augment(mel: Mel, rng: np.random.Generator) -> Mel:
    """Return a changed copy of a stretch of mel spectrogram, (80, T) float32, -4.0 to 4.0.

    Bands are shifted by up to 2 and stretched by up to 8 %; loudness, tone colour, noise and a noise floor are
    drawn; now and then some frames or bands are lost.
    """
    mel = _warp(rng) @ mel
    strength = np.clip((mel - FLOOR) / EDGE, 0, 1)
    mel = mel + strength * (_colour(rng) + rng.normal(0, rng.uniform(0, MAX_NOISE), mel.shape))
    if rng.random() < 0.3:
        floor = rng.uniform(FLOOR, MAX_NOISE_FLOOR) + 0.3 * _colour(rng)
        mel = np.maximum(mel, floor + rng.normal(0, 0.15, mel.shape))
    if rng.random() < 0.3:
        _mask(mel, rng)
    return np.asarray(np.clip(mel, FLOOR, 4), np.float32)


def _warp(rng: np.random.Generator) -> Mel:
    """Return the matrix (80, 80) that reads each band from a shifted and stretched place."""
    bands = np.arange(MEL_BANDS, dtype=np.float64)
    shift = rng.uniform(-MAX_SHIFT_BANDS, MAX_SHIFT_BANDS)
    places = np.clip(bands * (1 + rng.uniform(-MAX_STRETCH, MAX_STRETCH)) + shift, 0, MEL_BANDS - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(places[:, None] - bands)), np.float32)


def _colour(rng: np.random.Generator) -> Mel:
    """Return a gain for each band: loudness, and a smooth curve over the bands: (80, 1)."""
    places = np.linspace(0, np.pi, MEL_BANDS)
    terms = np.arange(1, EQUALISER_TERMS + 1)
    curve = rng.normal(0, EQUALISER_GAIN, EQUALISER_TERMS) / np.sqrt(terms) @ np.cos(terms[:, None] * places)
    return np.asarray((rng.uniform(-MAX_GAIN, MAX_GAIN) + curve)[:, None], np.float32)


def _mask(mel: Mel, rng: np.random.Generator) -> None:
    """Replace a few neighbouring frames and bands by their mean, in place."""
    for axis, most in ((1, MAX_MASKED_FRAMES), (0, MAX_MASKED_BANDS)):
        length = int(rng.integers(0, most + 1))
        start = int(rng.integers(0, mel.shape[axis] - length))
        lost = mel[:, start : start + length] if axis else mel[start : start + length]
        if lost.size:
            lost[...] = lost.mean(axis=axis, keepdims=True)
