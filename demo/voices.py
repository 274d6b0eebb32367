"""Speech from espeak-ng: sound, and which phoneme is said when. Only needed to make training data.

espeak-ng is called as a library, for the phoneme events it sends with the sound: they name each phoneme and the
sample at which it starts.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from demo.errors import SpeechUnavailable
from speech.contract import SAMPLE_RATE_HZ

__all__ = ["SILENCE", "Phoneme", "Speech", "Voice", "join", "resample", "speak"]

SILENCE = "_"
"""The phoneme of a pause, however espeak-ng spells it."""

Sound = npt.NDArray[np.int16]

_LIBRARY = "libespeak-ng.so.1"
_SYNCHRONOUS, _PHONEME_EVENTS, _DONT_EXIT = 2, 1, 0x8000
_RATE, _PITCH = 1, 3
_CHARS_UTF8 = 1
_EVENTS_END, _PHONEME = 0, 7
_CLOSURE_LEVEL = 40
_MAX_CLOSURE_S = 0.12
_ZERO_CROSSINGS = 48


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A voice of espeak-ng.

    Attributes:
        name: Language, or language+variant, such as ``en-us+f2``.
        rate_wpm: Words per minute, 80 to 450.
        pitch: 0 to 99; 50 is the voice's own.
    """

    name: str
    rate_wpm: int = 165
    pitch: int = 50


@dataclass(frozen=True)
class Phoneme:
    """A phoneme, in espeak-ng's spelling, and when it is said, in seconds."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Speech:
    """What was said.

    Attributes:
        sound: int16 samples, 16 kHz, mono.
        phonemes: In order, without gaps.
    """

    sound: Sound
    phonemes: tuple[Phoneme, ...]

    @property
    def duration_s(self) -> float:
        """Length of the sound, in seconds."""
        return len(self.sound) / SAMPLE_RATE_HZ


def speak(text: str, voice: Voice) -> Speech:
    """Say a text, without the silence that espeak-ng adds at its end.

    Raises:
        SpeechUnavailable: If espeak-ng is not installed, or lacks the voice.
    """
    engine = _engine()
    engine.choose(voice)
    sound, events = engine.synthesise(text)
    phonemes = tuple(_phonemes(sound, events, engine.sample_rate_hz))
    while phonemes and phonemes[-1].name == SILENCE:
        phonemes = phonemes[:-1]
    end = round(phonemes[-1].end_s * engine.sample_rate_hz) if phonemes else 0
    return Speech(resample(sound[:end], engine.sample_rate_hz, SAMPLE_RATE_HZ), phonemes)


def join(parts: Sequence[Speech], pauses_s: Sequence[float]) -> Speech:
    """Put silence before each part and after the last one; ``pauses_s`` is one longer than ``parts``."""
    sounds: list[Sound] = []
    phonemes: list[Phoneme] = []
    samples = 0
    for part, pause_s in zip([*parts, Speech(np.zeros(0, np.int16), ())], pauses_s, strict=True):
        pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.int16)
        start_s, speech_s = samples / SAMPLE_RATE_HZ, (samples + len(pause)) / SAMPLE_RATE_HZ
        phonemes.append(Phoneme(SILENCE, start_s, speech_s))
        phonemes += [Phoneme(p.name, p.start_s + speech_s, p.end_s + speech_s) for p in part.phonemes]
        sounds += [pause, part.sound]
        samples += len(pause) + len(part.sound)
    return Speech(np.concatenate(sounds), tuple(phonemes))


def resample(sound: Sound, from_hz: int, to_hz: int) -> Sound:
    """Convert the sample rate with a polyphase filter: a sinc under a Kaiser window, cut off at 95 %."""
    divisor = math.gcd(from_hz, to_hz)
    up, down = to_hz // divisor, from_hz // divisor
    cutoff = 0.95 * min(1.0, up / down)
    reach = math.ceil(_ZERO_CROSSINGS / cutoff)
    steps = np.arange(-reach + 1, reach + 1)
    distance = steps[None, :] - np.arange(up)[:, None] / up
    window = np.i0(9.0 * np.sqrt(np.maximum(0.0, 1 - (distance / reach) ** 2))) / np.i0(9.0)
    filters = cutoff * np.sinc(cutoff * distance) * window
    position = np.arange(math.ceil(len(sound) * up / down)) * down
    padded = np.pad(sound.astype(np.float64), reach)
    taken = padded[(position // up)[:, None] + steps[None, :] + reach]
    result = np.einsum("ij,ij->i", taken, filters[position % up])
    return np.asarray(np.clip(np.rint(result), -32768, 32767), np.int16)


def _phonemes(sound: Sound, events: Sequence[tuple[int, str]], rate_hz: int) -> Iterator[Phoneme]:
    """Yield the phonemes; the silent closure that leads to a stop is the stop's, not its predecessor's."""
    starts = [sample - _closure(sound, sample, rate_hz) for sample, _ in events]
    for (_, name), start, end in zip(events, starts, [*starts[1:], len(sound)], strict=True):
        if end > start:
            yield Phoneme(SILENCE if name.startswith("_") else name, start / rate_hz, end / rate_hz)


def _closure(sound: Sound, sample: int, rate_hz: int) -> int:
    """Return for how many samples the sound was silent before ``sample``, at most 120 ms."""
    before = np.abs(sound[max(0, sample - int(_MAX_CLOSURE_S * rate_hz)) : sample].astype(int))
    loud = np.flatnonzero(before > _CLOSURE_LEVEL)
    return int(len(before) - 1 - loud[-1]) if len(loud) else 0


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("pointer", ctypes.c_char_p), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("text_length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", _Name),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Engine:
    """espeak-ng, of which a process has one."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as exc:
            raise SpeechUnavailable(f"{_LIBRARY}: install espeak-ng") from exc
        self.sample_rate_hz: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _DONT_EXIT
        )
        if self.sample_rate_hz <= 0:
            raise SpeechUnavailable("espeak-ng's voice data")
        self._chunks: list[bytes] = []
        self._events: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)  # the library keeps only its address
        self._library.espeak_SetSynthCallback(self._callback)

    def choose(self, voice: Voice) -> None:
        if self._library.espeak_SetVoiceByName(voice.name.encode()):
            raise SpeechUnavailable(f"espeak-ng's voice {voice.name}")
        self._library.espeak_SetParameter(_RATE, voice.rate_wpm, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)

    def synthesise(self, text: str) -> tuple[Sound, list[tuple[int, str]]]:
        self._chunks, self._events = [], []
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, 1, 0, _CHARS_UTF8, None, None)
        return np.frombuffer(b"".join(self._chunks), np.int16), self._events

    def _receive(self, samples: object, count: int, events: Sequence[_Event]) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        index = 0
        while events[index].type != _EVENTS_END:
            if events[index].type == _PHONEME:
                self._events.append((events[index].sample, events[index].name.text.decode()))
            index += 1
        return 0


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()
