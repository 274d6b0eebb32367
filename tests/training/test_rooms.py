"""training/rooms.py"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from speech.mel import FLOOR, mel_spectrogram
from training import rooms
from training.rooms import in_a_room, loudness

QUIET = dict.fromkeys(("ECHO_SHARE", "NOISE_SHARE", "BAND_SHARE", "CLEAN_SHARE", "MAX_GAIN"), 0.0)


@contextmanager
def drawn(**always: object) -> Iterator[None]:
    """Let only what is named happen, and surely."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUIET, **always}.items():
            patch.setattr(rooms, name, value)
        yield


def burst(frames: int = 60) -> np.ndarray:
    """Return digital silence with ten loud frames in it."""
    mel = np.full((80, frames), FLOOR, np.float32)
    mel[:, 20:30] = 1.0
    return mel


def test_nothing_drawn_changes_nothing() -> None:
    """A clean room and a spectrogram that goes to power and back are the recording."""
    mel = np.random.default_rng(0).uniform(FLOOR, 4, (80, 60)).astype(np.float32)
    for always in ({}, {"CLEAN_SHARE": 1.0, "NOISE_SHARE": 1.0}):
        with drawn(**always):
            np.testing.assert_allclose(in_a_room(mel, 1.0, np.random.default_rng(0)), mel, atol=1e-4)


def test_noise_adds_as_power_does() -> None:
    """Noise as loud as drawn, added to a sound, is the noise in a pause and hardly heard in what is far louder."""
    with drawn(NOISE_SHARE=1.0, NOISE_BELOW_DB=(20.0, 20.0)):
        mel = burst()
        heard = in_a_room(mel, loudness(mel[:, 20:30]), np.random.default_rng(0))
    quiet = 10 ** ((heard[:, :20] * 12.5 - 30) / 10)  # dB: 12.5 a unit, 0 at 2.4
    loud = 10 ** ((heard[:, 20:30] * 12.5 - 30) / 10)
    ratio_db = 10 * np.log10(loud.sum(0).mean() / quiet.sum(0).mean())
    assert ratio_db == pytest.approx(20, abs=0.5)
    assert np.median(np.abs(heard[:, 20:30] - mel[:, 20:30])) < 0.05


def test_noise_like_that_of_real_sound() -> None:
    """Noise added to samples at 10 dB below raises the spectrogram's power in a pause by as much as is drawn here."""
    rng = np.random.default_rng(0)
    tone = np.zeros(16_000, np.float32)
    tone[4000:12_000] = rng.normal(0, 0.1, 8000)
    noisy = tone + rng.normal(0, 0.1 * 10**-0.5, 16_000).astype(np.float32)
    true = mel_spectrogram(noisy.astype(np.float32))[:, 2:15]
    mel = mel_spectrogram(tone)
    with drawn(NOISE_SHARE=1.0, NOISE_BELOW_DB=(10.0, 10.0), SPECTRUM_DB=0.0, TILT_DB_PER_BAND=(0.0, 0.0)):
        added = in_a_room(mel, loudness(mel), np.random.default_rng(0))[:, 2:15]
    levels = [10 * np.log10((10 ** (part * 1.25)).sum(0).mean()) for part in (true, added)]
    assert levels[1] == pytest.approx(levels[0], abs=1.5)


def test_an_echo_follows_and_dies_away() -> None:
    """Before a sound there is none of its echo; after it the echo falls by the drawn 60 dB a second."""
    with drawn(ECHO_SHARE=1.0, ECHO_S=(1.0, 1.0), ECHO_BELOW_DB=(6.0, 6.0)):
        heard = in_a_room(burst(), 1.0, np.random.default_rng(0))
    assert (heard[:, :20] == FLOOR).all()
    assert (heard[:, 31:48] > FLOOR).all()
    fall_db = 12.5 * (heard[0, 32] - heard[0, 40])
    assert fall_db == pytest.approx(60 * 8 * 0.0125, abs=1.0)


def test_a_poor_microphone_loses_the_high_bands() -> None:
    """Above its band nothing is left, in the middle of it everything."""
    with drawn(BAND_SHARE=1.0):
        mel = np.full((80, 30), 2.0, np.float32)
        heard = in_a_room(mel, 1.0, np.random.default_rng(3))
    np.testing.assert_allclose(heard[10:45], 2.0, atol=1e-5)
    assert heard[79].max() < 1.5


def test_digital_silence_stays_silent_at_any_level() -> None:
    """A louder or softer microphone has nothing to say where there is nothing."""
    with drawn(MAX_GAIN=0.5):
        heard = in_a_room(burst(), 1.0, np.random.default_rng(1))
    assert (heard[:, :20] == FLOOR).all()
    assert abs(heard[0, 25] - 1.0) > 0.01
