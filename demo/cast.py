"""Who speaks the takes that the demo's networks learn to hear voices from, and what.

Flite's and festival's voices are made of recordings of people: ``kal16`` of joined pieces, the others of models that
were fitted to readings. Each says a choice of the training sentences, and words of them in no order, so that a sound
is heard among many others. Kept out, to be measured on: flite's ``rms``, festival's ``ked_diphone``, espeak-ng's
``en-us+f3``, and every recording of a person who really spoke.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from demo import festival, flite, voices
from demo.festival import FestivalVoice
from demo.flite import FliteVoice
from demo.script import TRAINING_VOICES, recording
from demo.texts import HELD_OUT, TRAINING
from demo.voices import Speech, Voice

__all__ = [
    "HELD_OUT_FESTIVAL",
    "HELD_OUT_FLITE",
    "KNOWN",
    "PEOPLE",
    "Part",
    "heldout",
    "jumbled",
    "known",
    "people",
    "say",
]

HELD_OUT_FLITE = FliteVoice(name="rms")
HELD_OUT_FESTIVAL = FestivalVoice(name="ked_diphone")

AnyVoice = Voice | FliteVoice | FestivalVoice


@dataclass(frozen=True)
class Part:
    """A voice's part: how many of the training sentences it says, and how many jumbled ones."""

    voice: AnyVoice
    sentences: int
    jumbled: int


PEOPLE = (
    *(Part(FliteVoice(name=name, stretch=s), 50, 50) for name in ("awb", "slt") for s in (0.9, 1.05, 1.25)),
    *(
        Part(FliteVoice(name="kal16", stretch=s, pitch_hz=hz), 50, 40)
        for s, hz in ((0.85, 95), (1.0, 120), (1.15, 150))
    ),
    *(Part(FestivalVoice(name="cmu_us_slt_arctic_hts", stretch=s), 50, 30) for s in (0.95, 1.15)),
    *(
        Part(Voice(name=f"en-us+{variant}", rate_wpm=160), 15, 20)
        for variant in ("klatt", "klatt2", "klatt4", "m2", "m5", "whisper")
    ),
)
"""Voices to learn; the last six are espeak-ng's, most of them from its other synthesiser."""

KNOWN = tuple(Part(voice, 25, 25) for voice in TRAINING_VOICES)
"""Voices the demo's first networks were trained on."""

_TAKE_SENTENCES = 20
_WORDS = (5, 10)
_COMMA_SHARE = 0.3


def known(count: int | None = None) -> Iterator[Speech]:
    """Yield takes of the first ``count`` known voices, a minute or so each.

    Raises:
        SpeechUnavailable: If a synthesiser or a voice is missing.
    """
    yield from _spoken(KNOWN[:count], 100)


def people(count: int | None = None) -> Iterator[Speech]:
    """Yield takes of the first ``count`` voices to learn, a minute or so each.

    Raises:
        SpeechUnavailable: If a synthesiser or a voice is missing.
    """
    yield from _spoken(PEOPLE[:count], 0)


def heldout() -> Iterator[tuple[str, Speech]]:
    """Yield name and recording of the held-out sentences, said by the held-out voices of flite and festival.

    Raises:
        SpeechUnavailable: If a synthesiser or a voice is missing.
    """
    for name, voice in (("heldout_flite", HELD_OUT_FLITE), ("heldout_festival", HELD_OUT_FESTIVAL)):
        yield name, recording(say(HELD_OUT, voice), seed=100)


def jumbled(seed: int, count: int) -> list[str]:
    """Return sentences of 5 to 10 words of the training sentences, in no order."""
    words = sorted({word.strip(".,;:!?") for text in TRAINING for word in text.split()})
    rng = np.random.default_rng(seed)
    sentences = []
    for _ in range(count):
        chosen = [str(word) for word in rng.choice(words, int(rng.integers(_WORDS[0], _WORDS[1] + 1)))]
        if rng.random() < _COMMA_SHARE:
            chosen[len(chosen) // 2] += ","
        sentences.append(" ".join(chosen) + ".")
    return sentences


def say(texts: Sequence[str], voice: AnyVoice) -> list[Speech]:
    """Say texts with a voice of any synthesiser.

    Raises:
        SpeechUnavailable: If the synthesiser or the voice is missing.
    """
    if isinstance(voice, FestivalVoice):
        return festival.speak_all(texts, voice)
    if isinstance(voice, FliteVoice):
        return [flite.speak(text, voice) for text in texts]
    return [voices.speak(text, voice) for text in texts]


def _spoken(parts: Sequence[Part], seed: int) -> Iterator[Speech]:
    for number, part in enumerate(parts, start=seed):
        chosen = [str(text) for text in np.random.default_rng(number + 1000).permutation(TRAINING)]
        texts = chosen[: part.sentences] + jumbled(number, part.jumbled)
        said = [speech for speech in say(texts, part.voice) if len(speech.sound)]
        for first in range(0, len(said), _TAKE_SENTENCES):
            take = said[first : first + _TAKE_SENTENCES]
            yield recording(take, seed=zlib.crc32(f"{part.voice} {first}".encode()))
