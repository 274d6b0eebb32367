"""From what is said to what the mouth does: phonemes and their times in, one mouth shape per frame out.

Each phoneme has a target shape, and for each number of it a strength: how much it insists. Around its time its
influence fades exponentially, and the mouth is at every moment the average of the targets, weighted by their
influence (dominance functions, after Cohen and Massaro, 1993). So "t" takes the shape of the vowels beside it, and
"p" takes none: its opening is below zero, and what is below zero is closed. The result depends on nothing but the
phonemes within 0.3 seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from demo.errors import UnknownPhoneme
from demo.pose import MouthPose
from demo.voices import SILENCE, Phoneme

__all__ = ["KNOWN", "REACH_S", "REST", "mouth_poses"]

REST = MouthPose(width=0.55)
REACH_S = 0.3
"""Sound farther away than this does not matter to the mouth."""

_STEP_S = 0.005
_MOTION_BLUR_S = 0.012
_SHORT_PAUSE_S, _LONG_PAUSE_S = 0.06, 0.16
_GLIDE_SHARE = 0.55

Numbers = npt.NDArray[np.float64]


class _Viseme(NamedTuple):
    """A target shape; ``open_strength`` weighs opening and teeth, ``lip_strength`` width, rounding and bite."""

    opening: float
    width: float
    rounding: float = 0.0
    tongue: float = 0.0
    teeth: float = 0.0
    bite: float = 0.0
    open_strength: float = 1.0
    lip_strength: float = 1.0
    fade_s: float = 0.045


_PAUSE = _Viseme(-0.04, REST.width, fade_s=0.06)
_LIPS_CLOSED = _Viseme(-0.36, 0.46, open_strength=4.5, lip_strength=0.5, fade_s=0.022)
_LIP_ON_TEETH = _Viseme(0.10, 0.50, bite=1.0, teeth=0.3, open_strength=4.0, lip_strength=2.5, fade_s=0.028)
_TONGUE_BETWEEN = _Viseme(
    0.28, 0.56, tongue=0.85, teeth=0.0, open_strength=1.5, lip_strength=0.3, fade_s=0.035
)
_TONGUE_UP = _Viseme(0.22, 0.56, tongue=0.9, teeth=0.2, open_strength=1.2, lip_strength=0.15, fade_s=0.030)
_LATERAL = _Viseme(0.40, 0.55, tongue=1.0, open_strength=1.2, lip_strength=0.2, fade_s=0.035)
_HISS = _Viseme(0.17, 0.72, teeth=1.0, open_strength=2.2, lip_strength=0.5, fade_s=0.035)
_HUSH = _Viseme(0.24, 0.26, rounding=0.55, teeth=1.0, open_strength=2.0, lip_strength=1.6, fade_s=0.040)
_BACK_OF_TONGUE = _Viseme(0.26, 0.52, open_strength=0.5, lip_strength=0.12, fade_s=0.035)
_BREATH = _Viseme(0.30, 0.54, open_strength=0.15, lip_strength=0.1, fade_s=0.030)
_R = _Viseme(0.24, 0.28, rounding=0.45, tongue=0.25, open_strength=0.9, lip_strength=0.9, fade_s=0.040)
_W = _Viseme(0.18, 0.10, rounding=1.0, open_strength=2.0, lip_strength=2.2, fade_s=0.050)
_J = _Viseme(0.20, 0.86, tongue=0.2, open_strength=0.9, lip_strength=0.9, fade_s=0.040)

_AH = _Viseme(0.98, 0.52, open_strength=1.6)
_AT = _Viseme(0.88, 0.70, open_strength=1.5)
_UP = _Viseme(0.72, 0.54, open_strength=1.3)
_BED = _Viseme(0.58, 0.78, tongue=0.1, open_strength=1.2)
_BIT = _Viseme(0.34, 0.80, tongue=0.15)
_BEE = _Viseme(0.26, 1.00, tongue=0.2)
_HOT = _Viseme(0.78, 0.36, rounding=0.25, open_strength=1.3)
_LAW = _Viseme(0.66, 0.22, rounding=0.62, open_strength=1.2)
_BOOK = _Viseme(0.36, 0.16, rounding=0.75)
_BLUE = _Viseme(0.28, 0.04, rounding=1.0)
_HER = _Viseme(0.40, 0.34, rounding=0.30, tongue=0.15)
_SCHWA = _Viseme(0.36, 0.54, open_strength=0.6, lip_strength=0.4)

_SHAPES: dict[str, tuple[_Viseme, ...]] = {
    SILENCE: (_PAUSE,),
    **dict.fromkeys(("p", "b", "m", "m-"), (_LIPS_CLOSED,)),
    **dict.fromkeys(("f", "v"), (_LIP_ON_TEETH,)),
    **dict.fromkeys(("T", "D"), (_TONGUE_BETWEEN,)),
    **dict.fromkeys(("t", "d", "n", "n-", "t2"), (_TONGUE_UP,)),
    "l": (_LATERAL,),
    "@L": (_SCHWA, _LATERAL),
    **dict.fromkeys(("s", "z"), (_HISS,)),
    **dict.fromkeys(("S", "Z", "tS", "dZ"), (_HUSH,)),
    **dict.fromkeys(("k", "g", "N", "x", "?"), (_BACK_OF_TONGUE,)),
    "h": (_BREATH,),
    ";": (_BREATH,),
    "r": (_R,),
    "w": (_W,),
    "j": (_J,),
    **dict.fromkeys(("A", "A:", "aa"), (_AH,)),
    "a": (_AT,),
    "V": (_UP,),
    "E": (_BED,),
    **dict.fromkeys(("I", "I2", "@5"), (_BIT,)),
    **dict.fromkeys(("i", "i:"), (_BEE,)),
    **dict.fromkeys(("0", "02"), (_HOT,)),
    **dict.fromkeys(("O", "O:", "O2"), (_LAW,)),
    "U": (_BOOK,),
    **dict.fromkeys(("u", "u:"), (_BLUE,)),
    **dict.fromkeys(("3", "3:"), (_HER,)),
    **dict.fromkeys(("@", "@2"), (_SCHWA,)),
    "eI": (_BED, _BEE),
    "aI": (_AH, _BIT),
    "OI": (_LAW, _BIT),
    "aU": (_AT, _BOOK),
    "oU": (_LAW, _BLUE),
    "aI@": (_AH, _BIT, _HER),
    "aI3": (_AH, _BIT, _HER),
    "aU@": (_AT, _BOOK, _HER),
    "A@": (_AH, _HER),
    **dict.fromkeys(("O@", "o@"), (_LAW, _HER)),
    "U@": (_BOOK, _HER),
    "e@": (_BED, _HER),
    **dict.fromkeys(("i@", "i@3"), (_BEE, _HER)),
}

KNOWN = frozenset(_SHAPES)
"""The phonemes that have a shape; one that ends in ``#`` or ``-`` has that of its name without."""


@dataclass(frozen=True)
class _Segment:
    start_s: float
    end_s: float
    viseme: _Viseme
    strength: float = 1.0


def mouth_poses(phonemes: Sequence[Phoneme], frames: int, fps: float = 25) -> list[MouthPose]:
    """Return the mouth in the middle of each frame.

    Args:
        phonemes: In order of time. Before the first and after the last is silence.
        frames: How many frames; frame i is i/fps to (i+1)/fps seconds.
        fps: Frames per second.

    Raises:
        UnknownPhoneme: If a phoneme is none of English.
    """
    steps = np.arange(round(frames / fps / _STEP_S) + 1) * _STEP_S
    shapes = _blurred(_dominated(list(_segments(phonemes, frames / fps)), steps))
    middles = (np.arange(frames) + 0.5) / fps
    rows = np.stack([np.interp(middles, steps, track) for track in shapes.T], axis=-1)
    rows = np.clip(rows, 0, 1)
    rows[rows[:, 0] == 0, 3:] = 0  # nothing of tongue and teeth is seen, and a closed mouth is one shape
    return [MouthPose(**dict(zip(_Viseme._fields, map(float, row), strict=False))) for row in rows]


def _segments(phonemes: Sequence[Phoneme], duration_s: float) -> Iterator[_Segment]:
    """Yield who pulls at the mouth, and when; pauses in one piece."""
    silence_start_s: float | None = -2 * REACH_S
    for phoneme in phonemes:
        if phoneme.name == SILENCE:
            silence_start_s = phoneme.start_s if silence_start_s is None else silence_start_s
            continue
        if silence_start_s is not None:
            yield _pause(silence_start_s, phoneme.start_s)
            silence_start_s = None
        yield from _shaped(phoneme)
    if silence_start_s is None:
        silence_start_s = phonemes[-1].end_s
    yield _pause(silence_start_s, max(silence_start_s, duration_s) + 2 * REACH_S)


def _pause(start_s: float, end_s: float) -> _Segment:
    """Return a pause; a short one hardly closes the mouth."""
    share = (end_s - start_s - _SHORT_PAUSE_S) / (_LONG_PAUSE_S - _SHORT_PAUSE_S)
    return _Segment(start_s, end_s, _PAUSE, strength=min(1.0, max(1e-6, share)))


def _shaped(phoneme: Phoneme) -> Iterator[_Segment]:
    shapes = _SHAPES.get(phoneme.name) or _SHAPES.get(phoneme.name.rstrip("#-"))
    if shapes is None:
        raise UnknownPhoneme(phoneme.name)
    length_s = phoneme.end_s - phoneme.start_s
    edges = np.linspace(0, 1, len(shapes) + 1)
    if len(shapes) == 2:
        edges[1] = _GLIDE_SHARE
    for shape, low, high in zip(shapes, edges, edges[1:], strict=False):
        yield _Segment(phoneme.start_s + low * length_s, phoneme.start_s + high * length_s, shape)


def _dominated(segments: Sequence[_Segment], steps: Numbers) -> Numbers:
    """Return the shape (steps, 6) at each time: the targets, weighted by their influence there."""
    starts, ends = (np.array([getattr(s, name) for s in segments]) for name in ("start_s", "end_s"))
    targets = np.array([s.viseme[:6] for s in segments])
    fades = np.array([s.viseme.fade_s for s in segments])
    strengths = np.array(
        [(v.open_strength, v.lip_strength, v.lip_strength, v.open_strength, v.open_strength, v.lip_strength)
         for v in (s.viseme for s in segments)]
    ) * np.array([[s.strength] for s in segments])  # fmt: skip
    away = np.maximum(0, np.maximum(starts - steps[:, None], steps[:, None] - ends))
    influence = np.exp(-away / fades) * (away < REACH_S)
    return np.asarray(influence @ (strengths * targets) / (influence @ strengths))


def _blurred(shapes: Numbers) -> Numbers:
    """Return the shapes smoothed along time: lips have mass."""
    reach = round(3 * _MOTION_BLUR_S / _STEP_S)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * _STEP_S / _MOTION_BLUR_S) ** 2)
    padded = np.pad(shapes, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(track, kernel / kernel.sum(), "valid") for track in padded.T], axis=-1)
