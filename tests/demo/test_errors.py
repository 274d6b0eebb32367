from pathlib import Path

import pytest

from demo.errors import (
    BadRecording,
    ClipExists,
    ClipNotWritten,
    DemoError,
    InvalidSetting,
    SpeechUnavailable,
    UnknownPhoneme,
)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InvalidSetting("size", "256 to 1024", 7), "size must be 256 to 1024, got 7"),
        (ClipExists(Path("a/b")), "expected a folder yet to be made, but a/b exists"),
        (ClipNotWritten(Path("a/b"), "disk full"), "could not write the clip a/b: disk full"),
        (
            BadRecording(Path("a/b.wav"), "8000 Hz, 2 channels, 8 bits"),
            "a/b.wav: expected a recording (16000 Hz, 1 channel, 16 bits) and its phonemes, "
            "got 8000 Hz, 2 channels, 8 bits",
        ),
        (
            SpeechUnavailable("espeak-ng's voice xx"),
            "speech is made with espeak-ng, but this is missing: espeak-ng's voice xx",
        ),
        (UnknownPhoneme("X"), "expected a phoneme of English as espeak-ng spells it, got 'X'"),
    ],
)
def test_errors_are_one_sentence(error, sentence):
    """Each error says what was expected and what arrived, without a full stop."""
    assert isinstance(error, DemoError)
    assert str(error) == sentence
