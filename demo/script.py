"""Who says what in each recording: for training, held out, and served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from demo.texts import HELD_OUT, SERVED, TRAINING
from demo.voices import Phoneme, Speech, Voice, join, speak
from speech.contract import SAMPLE_RATE_HZ

__all__ = [
    "HELD_OUT_VOICE",
    "SERVED_VOICE",
    "TRAINING_SECONDS",
    "TRAINING_VOICES",
    "heldout",
    "recording",
    "served",
    "training",
]

TRAINING_VOICES = (
    Voice(name="en-us+f2", rate_wpm=160),
    Voice(name="en-us", rate_wpm=165),
    Voice(name="en+f1", rate_wpm=170, pitch=60),
    Voice(name="en-us+m3", rate_wpm=155, pitch=45),
    Voice(name="en-us+f4", rate_wpm=180, pitch=40),
    Voice(name="en+m7", rate_wpm=150),
    Voice(name="en-us+f5", rate_wpm=170),
    Voice(name="en-us+m1", rate_wpm=185, pitch=55),
)
SERVED_VOICE = TRAINING_VOICES[0]
HELD_OUT_VOICE = Voice(name="en-us+f3", rate_wpm=162)
TRAINING_SECONDS = 600.0
"""With 240, a network that only listens follows the held-out voice visibly worse."""

_FRAME_SAMPLES = SAMPLE_RATE_HZ // 25
_LOUDNESS = 3000.0
# Every so often a pause is longer than the window of one frame, so that the network learns what silence is.
_LONG_PAUSE_EVERY, _LONG_PAUSE_S = 6, 1.6


@dataclass(frozen=True)
class _Line:
    text: str
    voice: Voice


def training(seconds: float) -> list[Speech]:
    """Say the training sentences, voices in turn, for about that long; one recording for each voice.

    Raises:
        SpeechUnavailable: If espeak-ng or a voice is missing.
    """
    said: dict[Voice, list[Speech]] = {voice: [] for voice in TRAINING_VOICES}
    spent_s = 0.0
    for line in _lines():
        if spent_s >= seconds:
            break
        said[line.voice].append(speak(line.text, line.voice))
        spent_s += said[line.voice][-1].duration_s + 0.5
    return [recording(parts, seed) for seed, parts in enumerate(said.values()) if parts]


def heldout() -> Speech:
    """Say the held-out sentences with the held-out voice.

    Raises:
        SpeechUnavailable: If espeak-ng or the voice is missing.
    """
    return recording([speak(text, HELD_OUT_VOICE) for text in HELD_OUT], seed=100)


def served() -> Speech:
    """Say what the served clip says.

    Raises:
        SpeechUnavailable: If espeak-ng or the voice is missing.
    """
    return recording([speak(text, SERVED_VOICE) for text in SERVED], seed=200)


def _lines() -> Iterator[_Line]:
    """Yield the sentences without end: in each round, each is said by the next voice."""
    count = len(TRAINING_VOICES)
    for turn in range(count):
        for index, text in enumerate(TRAINING):
            yield _Line(text, TRAINING_VOICES[(index + turn) % count])


def recording(parts: Sequence[Speech], seed: int) -> Speech:
    """Join sentences with pauses, of even loudness, to whole frames."""
    rng = np.random.default_rng(seed)
    pauses_s = [0.4, *rng.uniform(0.25, 0.70, len(parts) - 1), 0.5]
    pauses_s[_LONG_PAUSE_EVERY:-1:_LONG_PAUSE_EVERY] = [_LONG_PAUSE_S] * (
        (len(parts) - 1) // _LONG_PAUSE_EVERY
    )
    speech = join([_levelled(part, rng.uniform(0.7, 1.3)) for part in parts], pauses_s)
    spare = -len(speech.sound) % _FRAME_SAMPLES
    last = speech.phonemes[-1]
    end_s = last.end_s + spare / SAMPLE_RATE_HZ
    return Speech(
        np.pad(speech.sound, (0, spare)),
        (*speech.phonemes[:-1], Phoneme(last.name, last.start_s, end_s)),
    )


def _levelled(speech: Speech, gain: float) -> Speech:
    sound = speech.sound.astype(np.float64)
    sound *= gain * _LOUDNESS / np.sqrt(np.mean(sound**2))
    return Speech(np.clip(np.rint(sound), -32768, 32767).astype(np.int16), speech.phonemes)
