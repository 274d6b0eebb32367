from pathlib import Path

import pytest

from demo.errors import (
    BadRecording,
    DemoError,
    SpeechUnavailable,
    UnknownPhoneme,
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            BadRecording(Path("a/b.wav"), "8000 Hz, 2 channels, 8 bits"),
            "a/b.wav: expected a recording (16000 Hz, 1 channel, 16 bits) and its phonemes, "
            "got 8000 Hz, 2 channels, 8 bits",
        ),
        (
            SpeechUnavailable("espeak-ng's voice xx"),
            "speech is made with espeak-ng, but this is missing: espeak-ng's voice xx",
        ),
        (
            SpeechUnavailable("flite's voice xx", "flite"),
            "speech is made with flite, but this is missing: flite's voice xx",
        ),
        (UnknownPhoneme("rr", "in ARPABET"), "expected a phoneme of English in ARPABET, got 'rr'"),
        (UnknownPhoneme("X"), "expected a phoneme of English as espeak-ng spells it, got 'X'"),
    ],
)
def test_errors_are_one_sentence(error, sentence):
    """Each error says what was expected and what arrived, without a full stop."""
    assert isinstance(error, DemoError)
    assert str(error) == sentence
