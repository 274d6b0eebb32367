"""demo/flite.py"""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from demo import flite
from demo.errors import SpeechUnavailable
from demo.flite import FliteVoice, speak
from demo.voices import SILENCE

needs_flite = pytest.mark.skipif(shutil.which("flite") is None, reason="needs flite")
TEXT = "My pie, please."


@needs_flite
def test_what_is_said_and_when() -> None:
    """Phonemes are those of the text, without gaps, from first sample to last; vowels are louder than stops."""
    speech = speak(TEXT, FliteVoice(name="slt"))
    assert [p.name for p in speech.phonemes if p.name != SILENCE] == [
        "m",
        "aI",
        "p",
        "aI",
        "p",
        "l",
        "i:",
        "z",
    ]
    assert speech.phonemes[0].start_s == 0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-3)
    for before, after in zip(speech.phonemes, speech.phonemes[1:], strict=False):
        assert before.end_s == after.start_s

    def power(name: str) -> float:
        parts = [
            speech.sound[int(p.start_s * 16_000) : int(p.end_s * 16_000)]
            for p in speech.phonemes
            if p.name == name
        ]
        return float(np.mean(np.concatenate(parts).astype(float) ** 2))

    assert power("aI") > 10 * power("p")


@needs_flite
def test_pace_and_pitch_are_obeyed() -> None:
    """Stretched speech is as much longer; a higher pitch is another sound of the same length."""
    even = speak(TEXT, FliteVoice(name="kal16"))
    slow = speak(TEXT, FliteVoice(name="kal16", stretch=1.5))
    assert slow.duration_s == pytest.approx(1.5 * even.duration_s, rel=0.05)
    high = speak(TEXT, FliteVoice(name="kal16", pitch_hz=200))
    assert high.duration_s == pytest.approx(even.duration_s, rel=0.02)
    assert not np.array_equal(high.sound[:16_000], even.sound[:16_000])


@needs_flite
def test_an_unknown_voice_is_refused() -> None:
    """Flite itself would take another voice and not say so."""
    with pytest.raises(
        SpeechUnavailable, match=r"made with flite, but this is missing: flite's voice nobody$"
    ):
        speak(TEXT, FliteVoice(name="nobody"))


def test_a_missing_program_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flite the error says what to install."""
    monkeypatch.setattr(flite, "_PROGRAM", "flite-of-no-machine")
    monkeypatch.setattr(flite, "_voices", flite._voices.__wrapped__)
    with pytest.raises(SpeechUnavailable, match=r"flite-of-no-machine: install flite$"):
        speak(TEXT, FliteVoice(name="slt"))


def test_a_program_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that ends with an error is not taken for a voice that is missing."""
    monkeypatch.setattr(flite, "_PROGRAM", "false")
    monkeypatch.setattr(flite, "_voices", flite._voices.__wrapped__)
    with pytest.raises(SpeechUnavailable, match=r"an answer of false .*exit status 1"):
        speak(TEXT, FliteVoice(name="slt"))
