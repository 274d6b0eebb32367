"""demo/arpabet.py"""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from demo.arpabet import PHONEMES, Phone, to_speech
from demo.errors import UnknownPhoneme
from demo.visemes import KNOWN
from demo.voices import SILENCE, Phoneme


def wav(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    """Return a mono WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def test_each_phone_has_a_mouth() -> None:
    """All of American English is there, each phone with a phoneme that has a shape."""
    vowels = ["aa", "ae", "ah", "ao", "aw", "ax", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw"]
    consonants = [
        "b",
        "ch",
        "d",
        "dh",
        "f",
        "g",
        "hh",
        "jh",
        "k",
        "l",
        "m",
        "n",
        "ng",
        "p",
        "r",
        "s",
        "sh",
        "t",
        "th",
        "v",
        "w",
        "y",
        "z",
        "zh",
    ]
    assert PHONEMES.keys() >= {*vowels, *consonants}
    assert set(PHONEMES.values()) <= KNOWN
    assert len({PHONEMES[name] for name in consonants}) == len(consonants)


def test_the_silence_at_both_ends_goes(tmp_path: Path) -> None:
    """Sound and phonemes begin with what is said first and end with what is said last; pauses within stay."""
    sound = np.arange(16_000) % 1000
    phones = [Phone("pau", 0.1), Phone("HH", 0.2), Phone("AH1", 0.5), Phone("pau", 0.6), Phone("m", 0.75)]
    path = tmp_path / "speech.wav"
    path.write_bytes(wav(sound))
    for recording in (path, wav(sound)):
        speech = to_speech(recording, [*phones, Phone("sil", 1.0)])
        np.testing.assert_array_equal(speech.sound, sound[1600:12_000])
        assert [p.name for p in speech.phonemes] == ["h", "V", SILENCE, "m"]
        times = [(p.start_s, p.end_s) for p in speech.phonemes]
        np.testing.assert_allclose(times, [(0, 0.1), (0.1, 0.4), (0.4, 0.5), (0.5, 0.65)], atol=1e-9)


def test_another_rate_becomes_16_khz() -> None:
    """A tone recorded at 32 kHz is the same tone, as long, at 16 kHz."""
    rate_hz, hz = 32_000, 500
    tone = 10_000 * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)
    speech = to_speech(wav(tone, rate_hz), [Phone("aa", 1.0)])
    expected = 10_000 * np.sin(2 * np.pi * hz * np.arange(16_000) / 16_000)
    assert np.abs(speech.sound - expected)[200:-200].max() < 10


def test_a_phone_without_length_is_left_out() -> None:
    """Two phones that end at the same time are one: a mouth has no time for the other."""
    speech = to_speech(wav(np.ones(1600)), [Phone("aa", 0.05), Phone("t", 0.05), Phone("iy", 0.1)])
    assert speech.phonemes == (Phoneme("A:", 0, 0.05), Phoneme("i:", 0.05, 0.1))


def test_nothing_said() -> None:
    """Silence alone is no speech."""
    speech = to_speech(wav(np.zeros(1600)), [Phone("pau", 0.1)])
    assert (len(speech.sound), speech.phonemes) == (0, ())


def test_an_unknown_phone_is_named() -> None:
    """A phone of another language is refused."""
    with pytest.raises(UnknownPhoneme, match=r"^expected a phoneme of English in ARPABET, got 'rr'$"):
        to_speech(wav(np.ones(1600)), [Phone("rr", 0.1)])
