"""The phones of American speech synthesisers, ARPABET, in the demo's own spelling, and speech built of them."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demo.errors import UnknownPhoneme
from demo.voices import SILENCE, Phoneme, Speech, resample
from speech.contract import SAMPLE_RATE_HZ

__all__ = ["PHONEMES", "Phone", "to_speech"]

PHONEMES = {
    **dict.fromkeys(("pau", "sil", "ssil", "brth"), SILENCE),
    "aa": "A:",
    "ae": "a",
    "ah": "V",
    "ao": "O:",
    "aw": "aU",
    "ax": "@",
    "axr": "3",
    "ay": "aI",
    "b": "b",
    "ch": "tS",
    "d": "d",
    "dh": "D",
    "dx": "t2",
    "eh": "E",
    "el": "@L",
    "em": "m-",
    "en": "n-",
    "er": "3:",
    "ey": "eI",
    "f": "f",
    "g": "g",
    "hh": "h",
    "hv": "h",
    "ih": "I",
    "ix": "I2",
    "iy": "i:",
    "jh": "dZ",
    "k": "k",
    "l": "l",
    "m": "m",
    "n": "n",
    "ng": "N",
    "nx": "n",
    "ow": "oU",
    "oy": "OI",
    "p": "p",
    "r": "r",
    "s": "s",
    "sh": "S",
    "t": "t",
    "th": "T",
    "uh": "U",
    "uw": "u:",
    "v": "v",
    "w": "w",
    "y": "j",
    "z": "z",
    "zh": "Z",
}
"""One of ``demo.visemes.KNOWN`` for each phone, in small letters and without stress."""


class Phone(NamedTuple):
    """A phone as a synthesiser prints it, and when it ends, in seconds; it starts where the one before ends."""

    name: str
    end_s: float


def to_speech(recording: bytes | Path, phones: Sequence[Phone]) -> Speech:
    """Return speech at 16 kHz from a mono 16-bit WAV file and the phones in it, without the silence at both ends.

    Raises:
        UnknownPhoneme: If a phone is none of ARPABET.
    """
    sound, rate_hz = _read(recording)
    phonemes = []
    start_s = 0.0
    for name, end_s in phones:
        if end_s > start_s:
            phonemes.append(Phoneme(_spelt(name), start_s, end_s))
        start_s = max(start_s, end_s)
    while phonemes and phonemes[0].name == SILENCE:
        del phonemes[0]
    while phonemes and phonemes[-1].name == SILENCE:
        del phonemes[-1]
    if not phonemes:
        return Speech(np.zeros(0, np.int16), ())
    begin, end = (round(edge_s * rate_hz) for edge_s in (phonemes[0].start_s, phonemes[-1].end_s))
    shift_s = begin / rate_hz
    moved = tuple(Phoneme(p.name, p.start_s - shift_s, p.end_s - shift_s) for p in phonemes)
    said = sound[begin:end]
    return Speech(said if rate_hz == SAMPLE_RATE_HZ else resample(said, rate_hz, SAMPLE_RATE_HZ), moved)


def _spelt(name: str) -> str:
    phoneme = PHONEMES.get(name.lower().rstrip("012"))
    if phoneme is None:
        raise UnknownPhoneme(name, "in ARPABET")
    return phoneme


def _read(recording: bytes | Path) -> tuple[np.ndarray[tuple[int], np.dtype[np.int16]], int]:
    source = io.BytesIO(recording) if isinstance(recording, bytes) else str(recording)
    with wave.open(source, "rb") as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16), file.getframerate()
