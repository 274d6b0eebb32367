import numpy as np
import pytest

from demo import script
from demo.texts import HELD_OUT, SERVED, TRAINING
from demo.voices import SILENCE, Phoneme, Speech


@pytest.fixture
def said(monkeypatch):
    """What is spoken: each call says one second of noise instead."""
    calls = []

    def speak(text, voice):
        calls.append((text, voice))
        noise = np.random.default_rng(len(calls)).normal(0, 500, 16_000)
        return Speech(noise.astype(np.int16), (Phoneme("a", 0.0, 1.0),))

    monkeypatch.setattr(script, "speak", speak)
    return calls


def test_held_out_voice_is_not_trained_on(said):
    """Training never uses the voice of the held-out recording, nor its sentences."""
    script.training(1000)
    assert script.HELD_OUT_VOICE.name not in {voice.name for _, voice in said}
    assert {text for text, _ in said}.isdisjoint(HELD_OUT)
    said.clear()
    script.heldout()
    assert said == [(text, script.HELD_OUT_VOICE) for text in HELD_OUT]


def test_the_served_text_is_said_by_a_training_voice(said):
    """The served voice is one that the network knows."""
    script.served()
    assert said == [(text, script.SERVED_VOICE) for text in SERVED]
    assert script.SERVED_VOICE in script.TRAINING_VOICES


def test_voices_take_turns(said):
    """Every voice says as much as the others, within a sentence; first every sentence is said once."""
    recordings = script.training(len(TRAINING) * 1.5)
    assert len(recordings) == len(script.TRAINING_VOICES)
    assert [text for text, _ in said] == list(TRAINING)
    counts = [sum(voice == v for _, voice in said) for v in script.TRAINING_VOICES]
    assert max(counts) - min(counts) <= 1


def test_second_round_gives_each_sentence_another_voice(said):
    """When all is said once, it is said again by other voices."""
    script.training(2 * len(TRAINING) * 1.5)
    assert len(said) == 2 * len(TRAINING) == len(set(said))


def test_little_time_gives_few_recordings(said):
    """Training speech ends near the seconds asked for, and voices without a sentence have no recording."""
    recordings = script.training(3)
    assert len(said) == len(recordings) == 2


def test_recordings_are_whole_frames_of_even_loudness(said):
    """A recording begins and ends in silence, is a whole number of frames long, and no sentence is too loud."""
    for recording in script.training(30):
        assert len(recording.sound) % 640 == 0
        assert recording.phonemes[-1].end_s == pytest.approx(recording.duration_s)
        assert (recording.phonemes[0].name, recording.phonemes[-1].name) == (SILENCE, SILENCE)
        spoken = recording.sound[6400:22_400].astype(float)
        assert 2000 < np.sqrt(np.mean(spoken**2)) < 4000
