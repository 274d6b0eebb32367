"""How the character moves: a sentence for the mouth, blinks, glances, nods. The last pose flows into the first.

The mouth follows an invented sentence, letter by letter, through a table of visemes; what is left of the clip
when no further word fits is a pause. Everything is periodic over the clip and the same at every call.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from demo.errors import InvalidSetting
from demo.pose import MouthPose, Pose

__all__ = ["FPS", "MAX_FRAMES", "MIN_FRAMES", "poses"]

FPS = 25
MIN_FRAMES = 25
MAX_FRAMES = 3000

Track = npt.NDArray[np.float64]
"""One number, or one row of numbers, per frame."""

_SENTENCE = ("mala", "tivo,", "senu", "rami", "dolafe.", "wefa", "luna,", "bori", "mela", "tu.")
_REST = MouthPose(opening=0.0, width=0.64)
_VISEMES = {
    "m": MouthPose(opening=0.0, width=0.44),
    "b": MouthPose(opening=0.0, width=0.42),
    "f": MouthPose(opening=0.07, width=0.50),
    "v": MouthPose(opening=0.07, width=0.48),
    "w": MouthPose(opening=0.14, width=0.18, rounding=0.95),
    "r": MouthPose(opening=0.22, width=0.30, rounding=0.45, tongue=0.25),
    "s": MouthPose(opening=0.13, width=0.72),
    "t": MouthPose(opening=0.20, width=0.52, tongue=0.9),
    "d": MouthPose(opening=0.22, width=0.50, tongue=0.9),
    "n": MouthPose(opening=0.22, width=0.52, tongue=1.0),
    "l": MouthPose(opening=0.34, width=0.52, tongue=1.0),
    "a": MouthPose(opening=0.86, width=0.55),
    "e": MouthPose(opening=0.50, width=0.78),
    "i": MouthPose(opening=0.28, width=0.98),
    "o": MouthPose(opening=0.58, width=0.22, rounding=0.70),
    "u": MouthPose(opening=0.26, width=0.06, rounding=1.0),
}
_VOWEL_FRAMES, _CONSONANT_FRAMES = 4, 2
_PAUSE_FRAMES = {",": 5, ".": 11}
_LEAD_FRAMES = 4
_MOUTH_BLUR_FRAMES = 0.95

_BLINK = (0.15, 0.75, 1.0, 0.9, 0.5, 0.2, 0.05)
_BLINK_EVERY_FRAMES = 72
_GLANCES = ((0.0, 0.0), (0.45, -0.1), (0.0, 0.05), (-0.5, 0.1), (-0.1, 0.0), (0.3, 0.3))
_GLANCE_FRAMES = 25


def poses(frames: int) -> list[Pose]:
    """Return the poses of a clip at 25 frames per second.

    Raises:
        InvalidSetting: If ``frames`` is not 25 to 3000.
    """
    if not MIN_FRAMES <= frames <= MAX_FRAMES:
        raise InvalidSetting("frames", f"{MIN_FRAMES} to {MAX_FRAMES}", frames)
    mouth = _speech(frames)
    gaze = _glances(frames)
    stress = _smooth(mouth[:, 0], 3.0)
    blink = _blinks(frames)
    tracks = {
        "blink": blink,
        "gaze_x": gaze[:, 0],
        "gaze_y": gaze[:, 1],
        "brow": 0.25 * _sway(frames, 0.31, 0.4) + 0.9 * (_smooth(mouth[:, 0], 6.0) - 0.25) - 0.15 * blink,
        "shift_x": 5.0 * _sway(frames, 0.17, 0.0) + 1.5 * _sway(frames, 0.43, 1.3),
        "shift_y": 2.0 * _sway(frames, 0.23, 2.1) + 3.5 * (stress - 0.25),
        "roll_deg": 1.6 * _sway(frames, 0.17, 0.6) + 0.7 * _sway(frames, 0.5, 2.0),
        "yaw": 0.55 * _sway(frames, 0.17, -0.3) + 0.25 * _sway(frames, 0.38, 1.0),
        "pitch": 0.25 * _sway(frames, 0.27, 0.9) + 1.1 * (stress - 0.25),
        "breath": _sway(frames, 0.27, 0.0),
    }
    return [
        Pose(mouth=_mouth(row), **{name: float(track[i]) for name, track in tracks.items()})
        for i, row in enumerate(mouth)
    ]


def _mouth(row: Track) -> MouthPose:
    opening, width, rounding, tongue = (float(v) for v in np.clip(row, 0, 1))
    return MouthPose(opening=opening, width=width, rounding=rounding, tongue=tongue)


def _speech(frames: int) -> Track:
    """Return opening, width, rounding and tongue (frames, 4) of the sentence, said as often as it fits."""
    keys: list[MouthPose] = [_REST] * _LEAD_FRAMES
    for word in itertools.cycle(_SENTENCE):
        spoken = list(itertools.chain.from_iterable(_letter(letter) for letter in word))
        if len(keys) + len(spoken) > frames - _LEAD_FRAMES:
            break
        keys += spoken
    keys += [_REST] * (frames - len(keys))
    rows = np.array([(k.opening, k.width, k.rounding, k.tongue) for k in keys])
    return _smooth(rows, _MOUTH_BLUR_FRAMES)


def _letter(letter: str) -> list[MouthPose]:
    if letter in _PAUSE_FRAMES:
        return [_REST] * _PAUSE_FRAMES[letter]
    return [_VISEMES[letter]] * (_VOWEL_FRAMES if letter in "aeiou" else _CONSONANT_FRAMES)


def _blinks(frames: int) -> Track:
    """Return the lids' closing: a blink every three seconds or so, at least one, none across the seam."""
    track = np.zeros(frames)
    count = max(1, round(frames / _BLINK_EVERY_FRAMES))
    for k in range(count):
        # Uneven: evenly spaced blinks look mechanical.
        start = int((k + 0.55 + 0.22 * np.sin(2.4 * k)) * frames / count) - 4
        track[start : start + len(_BLINK)] = _BLINK
    return track


def _glances(frames: int) -> Track:
    """Return the gaze (frames, 2): it rests, then jumps. It starts and ends looking at the camera."""
    count = max(1, frames // _GLANCE_FRAMES)
    places = [_GLANCES[k % len(_GLANCES)] for k in range(count)] + [_GLANCES[0]]
    which = np.minimum(np.arange(frames) * count // frames, count)
    rows = np.array(places)[which]
    rows[-8:] = _GLANCES[0]
    return _smooth(rows, 0.7)


def _sway(frames: int, rate_hz: float, phase: float) -> Track:
    """Return a sine of about that rate that fits the clip a whole number of times; weaker in short clips."""
    cycles = max(1, round(rate_hz * frames / FPS))
    strength = min(1.0, frames / (FPS * cycles) * rate_hz * 1.5)
    return np.asarray(strength * np.sin(2 * np.pi * cycles * np.arange(frames) / frames + phase))


def _smooth(track: Track, sigma_frames: float) -> Track:
    """Return the track blurred along time, around the seam too."""
    frames = len(track)
    away = np.minimum(np.arange(frames), frames - np.arange(frames))
    kernel = np.exp(-0.5 * (away / sigma_frames) ** 2)
    spectrum = np.fft.rfft(kernel / kernel.sum())
    spectrum = spectrum if track.ndim == 1 else spectrum[:, None]
    return np.fft.irfft(np.fft.rfft(track, axis=0) * spectrum, frames, axis=0)
