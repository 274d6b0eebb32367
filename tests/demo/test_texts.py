import ctypes.util

import pytest

from demo import texts
from demo.visemes import KNOWN
from demo.voices import SILENCE, Voice, speak

CONSONANTS = (
    "p",
    "b",
    "t",
    "d",
    "k",
    "g",
    "f",
    "v",
    "T",
    "D",
    "s",
    "z",
    "S",
    "Z",
    "h",
    "tS",
    "dZ",
    "m",
    "n",
    "N",
)
GLIDES = ("l", "r", "w", "j")
VOWELS = ("i:", "I", "eI", "E", "a", "0", "O:", "oU", "U", "u:", "V", "3:", "@", "aI", "aU", "OI")


def words(lines: tuple[str, ...]) -> set[str]:
    return {" ".join(line.lower().split()) for line in lines}


def test_held_out_sentences_are_not_trained_on():
    """No held-out sentence is said in training, or served."""
    assert len(words(texts.HELD_OUT)) == 2
    assert not words(texts.HELD_OUT) & (words(texts.TRAINING) | words(texts.SERVED))


def test_no_sentence_comes_twice():
    """All training sentences differ."""
    assert len(words(texts.TRAINING)) == len(texts.TRAINING)


@pytest.mark.skipif(ctypes.util.find_library("espeak-ng") is None, reason="needs espeak-ng")
def test_training_has_every_phoneme_of_english_in_several_sentences():
    """Each of the 40 phonemes is in five sentences or more, and each phoneme said has a mouth shape."""
    sentences = [
        {p.name.rstrip("#-") for p in speak(t, Voice(name="en-us")).phonemes} for t in texts.TRAINING
    ]
    missing = {name for name in CONSONANTS + GLIDES + VOWELS if sum(name in s for s in sentences) < 5}
    assert missing == set()
    assert set().union(*sentences) - KNOWN - {SILENCE, ""} == set()
