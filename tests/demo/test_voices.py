import ctypes.util

import numpy as np
import pytest

from demo import voices
from demo.errors import SpeechUnavailable
from demo.voices import SILENCE, Phoneme, Speech, Voice, join, resample, speak
from speech.contract import SAMPLE_RATE_HZ

needs_espeak = pytest.mark.skipif(ctypes.util.find_library("espeak-ng") is None, reason="needs espeak-ng")


def tone(rate_hz: int, hz: float, seconds: float = 0.5) -> np.ndarray:
    return np.rint(10_000 * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype(
        np.int16
    )


@pytest.mark.parametrize("hz", [100, 1000, 5000, 7000])
def test_resampled_tone_is_the_same_tone(hz):
    """A tone below the cut-off comes out as if sampled at the new rate, within 0.1 %, at the same time."""
    made = resample(tone(22_050, hz), 22_050, 16_000)
    expected = tone(16_000, hz)
    assert len(made) == len(expected)
    assert np.abs(made[200:-200].astype(int) - expected[200:-200]).max() <= 10


@pytest.mark.parametrize("hz", [8800, 10_000])
def test_what_the_new_rate_cannot_hold_is_removed(hz):
    """A tone above half the new rate is 60 dB down instead of folding back."""
    made = resample(tone(22_050, hz), 22_050, 16_000)
    assert np.abs(made[200:-200].astype(int)).max() <= 10


def test_join_puts_silence_between():
    """Parts keep their sound; phonemes move with it, and the pauses become phonemes."""
    part = Speech(np.full(1600, 7, np.int16), (Phoneme("a", 0.0, 0.1),))
    whole = join([part, part], [0.2, 0.1, 0.3])
    assert whole.duration_s == pytest.approx(0.8)
    assert [p.name for p in whole.phonemes] == [SILENCE, "a", SILENCE, "a", SILENCE]
    np.testing.assert_allclose([p.start_s for p in whole.phonemes], [0, 0.2, 0.3, 0.4, 0.5])
    np.testing.assert_allclose([p.end_s for p in whole.phonemes], [0.2, 0.3, 0.4, 0.5, 0.8])
    np.testing.assert_array_equal(np.flatnonzero(whole.sound), [*range(3200, 4800), *range(6400, 8000)])


def test_missing_library_is_one_sentence(monkeypatch):
    """Without espeak-ng the error says what to install."""
    monkeypatch.setattr(voices, "_LIBRARY", "libespeak-ng-of-no-machine.so")
    monkeypatch.setattr(voices, "_engine", voices._Engine)
    with pytest.raises(SpeechUnavailable, match=r"libespeak-ng-of-no-machine\.so: install espeak-ng$"):
        speak("hello", Voice(name="en-us"))


@needs_espeak
def test_unknown_voice_is_refused():
    """A voice that espeak-ng lacks is named."""
    with pytest.raises(SpeechUnavailable, match=r"espeak-ng's voice xx-none$"):
        speak("hello", Voice(name="xx-none"))


@needs_espeak
def test_phonemes_fill_the_sound():
    """The phonemes of a word come in order, without gaps, and end with the sound."""
    said = speak("Bobby", Voice(name="en-us"))
    assert [p.name for p in said.phonemes] == ["b", "0", "b", "i"]
    for one, after in zip(said.phonemes, said.phonemes[1:], strict=False):
        assert one.end_s == after.start_s
    assert said.phonemes[-1].end_s == pytest.approx(said.duration_s, abs=1e-3)


@needs_espeak
def test_timings_point_at_their_sound():
    """In "a saw", the stretch called s is a hiss: most of its energy lies above 3 kHz; the vowels' does not."""
    said = speak("Ah saw", Voice(name="en-us"))

    def high_share(phoneme: Phoneme) -> float:
        start, end = (round(t * SAMPLE_RATE_HZ) for t in (phoneme.start_s, phoneme.end_s))
        power = np.abs(np.fft.rfft(said.sound[start:end].astype(float))) ** 2
        return float(power[np.fft.rfftfreq(end - start, 1 / SAMPLE_RATE_HZ) > 3000].sum() / power.sum())

    shares = [(p.name, high_share(p)) for p in said.phonemes]
    assert [name for name, share in shares if share > 0.5] == ["s"]


@needs_espeak
def test_silent_closure_belongs_to_its_stop():
    """The silence before the burst of a "p" is the p's: the vowel before it has sound up to its end."""
    said = speak("Apart, apart", Voice(name="en-us"))
    stop = next(i for i, p in enumerate(said.phonemes) if p.name == "p")
    vowel, closure = said.phonemes[stop - 1], said.phonemes[stop]
    samples = np.abs(said.sound.astype(int))
    end = round(vowel.end_s * SAMPLE_RATE_HZ)
    assert samples[end - 80 : end].max() > 40
    assert samples[end + 40 : end + 240].max() < 80
    assert closure.end_s - closure.start_s > 0.04


@needs_espeak
def test_timings_are_the_same_at_every_call():
    """The same text and voice give the same phonemes, within a millisecond."""
    one, other = (speak("The same words.", Voice(name="en-us+f2")).phonemes for _ in range(2))
    assert [p.name for p in one] == [p.name for p in other]
    np.testing.assert_allclose([p.end_s for p in one], [p.end_s for p in other], atol=1e-3)


@needs_espeak
def test_faster_and_higher_voices_differ():
    """Rate shortens the sound."""
    slow, fast = (speak("Some words to say.", Voice(name="en-us", rate_wpm=r)) for r in (140, 190))
    assert fast.duration_s < 0.85 * slow.duration_s
