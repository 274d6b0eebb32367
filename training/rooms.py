"""What lies between a mouth and a computer: a room's echo and noise, a microphone's band and level.

Recordings to train on are clean; people speak in rooms. Echo and noise add to the power of a band, so they are
reckoned in power, not in the spectrogram's decibels. What the mouth does stays the same: in a pause it is shut, however
loud the room.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ
from speech.mel import FLOOR, HOP, MEL_BANDS, RANGE_DB, REFERENCE_DB

__all__ = ["ECHO_FRAMES", "in_a_room", "loudness"]

Mel = NDArray[np.float32]

ECHO_FRAMES = 24
"""Mel frames, 0.3 s, for which an echo is heard; so much sound has to go before a stretch."""

ECHO_SHARE, NOISE_SHARE, BAND_SHARE, CLEAN_SHARE = 0.35, 0.6, 0.15, 0.2
ECHO_S = (0.15, 0.7)
"""Until an echo is 60 dB down."""

ECHO_BELOW_DB = (2.0, 14.0)
NOISE_BELOW_DB = (5.0, 45.0)
TILT_DB_PER_BAND = (-0.06, 0.36)
SPECTRUM_DB = 6.0
SPECTRUM_TERMS = 4
LOUDEST_SHARE = 90
MAX_GAIN = 0.5
"""In the spectrogram's unit, 12.5 dB: 6 dB."""


def loudness(mel: Mel) -> float:
    """Return the power of the loud parts of a recording, all bands together; ``mel`` is (80, T)."""
    return float(np.percentile(_power(mel).sum(axis=0), LOUDEST_SHARE))


def in_a_room(mel: Mel, speech_power: float, rng: np.random.Generator) -> Mel:
    """Return a stretch of mel spectrogram, (80, T) float32, as a microphone in a drawn room would hear it.

    Args:
        mel: As recorded; its first ``ECHO_FRAMES`` lack the echo of what was before.
        speech_power: ``loudness`` of the recording: noise is drawn in proportion to it.
        rng: What draws.
    """
    if rng.random() < CLEAN_SHARE:
        return mel
    power = _power(mel)
    if rng.random() < ECHO_SHARE:
        power = power + _echo(power, rng)
    if rng.random() < NOISE_SHARE:
        power = power + _noise(power.shape[1], speech_power, rng)
    if rng.random() < BAND_SHARE:
        power = power * _band(rng)
    heard = _level(power)
    gain = rng.uniform(-MAX_GAIN, MAX_GAIN)
    return np.asarray(np.clip(np.where(heard > FLOOR + 0.01, heard + gain, heard), FLOOR, 4), np.float32)


def _power(mel: Mel) -> NDArray[np.float64]:
    decibels = (mel.astype(np.float64) + 4) * (RANGE_DB / 8) - RANGE_DB + REFERENCE_DB
    return np.where(mel > FLOOR, 10 ** (decibels / 10), 0.0)


def _level(power: NDArray[np.float64]) -> NDArray[np.float64]:
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    return np.asarray(np.clip(8 * (decibels - REFERENCE_DB + RANGE_DB) / RANGE_DB - 4, FLOOR, 4))


def _echo(power: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the power that a stretch leaves in the frames after it: a tail that dies away."""
    frames = np.arange(1, ECHO_FRAMES + 1)
    tail = np.exp(-6 * np.log(10) * frames * HOP / SAMPLE_RATE_HZ / rng.uniform(*ECHO_S))
    tail *= 10 ** (-rng.uniform(*ECHO_BELOW_DB) / 10) / tail.sum()
    echo = np.zeros_like(power)
    for frame, share in zip(frames[: power.shape[1] - 1], tail, strict=False):
        echo[:, frame:] += share * power[:, :-frame]
    return echo


def _noise(frames: int, speech_power: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return steady noise (80, T), mostly louder in the low bands, that wavers as noise does."""
    places = np.linspace(0, np.pi, MEL_BANDS)
    terms = np.arange(1, SPECTRUM_TERMS + 1)
    curve_db = rng.normal(0, SPECTRUM_DB, SPECTRUM_TERMS) / np.sqrt(terms) @ np.cos(terms[:, None] * places)
    curve_db = curve_db - rng.uniform(*TILT_DB_PER_BAND) * np.arange(MEL_BANDS)
    spectrum = 10 ** (curve_db / 10)
    spectrum *= speech_power * 10 ** (-rng.uniform(*NOISE_BELOW_DB) / 10) / spectrum.sum()
    return np.asarray(spectrum[:, None] * rng.gamma(3, 1 / 3, (MEL_BANDS, frames)))


def _band(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return what a poor microphone or a telephone leaves of each band: (80, 1)."""
    bands = np.arange(MEL_BANDS)
    loss = np.clip((bands - rng.integers(48, 76)) * rng.uniform(0.3, 1.5), 0, 5)
    if rng.random() < 0.5:
        loss = loss + np.clip((rng.integers(0, 5) - bands) * 0.8, 0, 3)
    return np.asarray(10.0 ** -loss[:, None])
