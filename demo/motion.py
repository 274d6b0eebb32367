"""How the character moves while its mouth speaks: blinks, glances, nods. The last pose flows into the first.

Everything but the mouth is periodic over the clip, and the same at every call with the same seed. The head knows
nothing of the mouth, so that a network cannot tell from the one what the other does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from demo.pose import MouthPose, Pose

__all__ = ["FPS", "poses"]

FPS = 25

Track = npt.NDArray[np.float64]
"""One number, or one row of numbers, per frame."""

_BLINK = (0.15, 0.75, 1.0, 0.9, 0.5, 0.2, 0.05)
_BLINK_EVERY_FRAMES = 72
_GLANCES = ((0.0, 0.0), (0.45, -0.1), (0.0, 0.05), (-0.5, 0.1), (-0.1, 0.0), (0.3, 0.3))
_GLANCE_FRAMES = 25


def poses(mouths: Sequence[MouthPose], seed: int = 0) -> list[Pose]:
    """Return the poses of a clip at 25 frames per second, of any length from 25 frames.

    Args:
        mouths: What the mouth does, one shape per frame.
        seed: Which blinks, glances and head movements to make.
    """
    frames = len(mouths)
    rng = np.random.default_rng(seed)
    gaze = _glances(frames, rng)
    opening = np.array([mouth.opening for mouth in mouths])
    blink = _blinks(frames, rng)

    def sway(*waves: tuple[float, float]) -> Track:
        """Return a sum of waves, each of an amplitude and a rate in hertz."""
        return sum(
            (a * _sway(frames, rate, rng.uniform(0, 2 * np.pi)) for a, rate in waves), np.zeros(frames)
        )

    tracks = {
        "blink": blink,
        "gaze_x": gaze[:, 0],
        "gaze_y": gaze[:, 1],
        "brow": sway((0.25, 0.31)) + 0.7 * (_smooth(opening, 6.0) - 0.2) - 0.15 * blink,
        "shift_x": sway((5.0, 0.17), (1.5, 0.43)),
        "shift_y": sway((2.0, 0.23), (1.2, 0.61)),
        "roll_deg": sway((1.6, 0.17), (0.7, 0.5)),
        "yaw": sway((0.55, 0.17), (0.25, 0.38)),
        "pitch": sway((0.25, 0.27), (0.30, 0.61)),
        "breath": sway((1.0, 0.27)),
    }
    return [
        Pose(mouth=mouth, **{name: float(track[i]) for name, track in tracks.items()})
        for i, mouth in enumerate(mouths)
    ]


def _blinks(frames: int, rng: np.random.Generator) -> Track:
    """Return the lids' closing: a blink every three seconds or so, at least one, none across the seam."""
    track = np.zeros(frames)
    count = max(1, round(frames / _BLINK_EVERY_FRAMES))
    for k in range(count):
        # Uneven: evenly spaced blinks look mechanical.
        start = int((k + rng.uniform(0.33, 0.77)) * frames / count) - 4
        track[start : start + len(_BLINK)] = _BLINK
    return track


def _glances(frames: int, rng: np.random.Generator) -> Track:
    """Return the gaze (frames, 2): it rests, then jumps. It starts and ends looking at the camera."""
    count = max(1, frames // _GLANCE_FRAMES)
    places = np.array(_GLANCES)[rng.integers(0, len(_GLANCES), count + 1)]
    places[[0, -1]] = _GLANCES[0]
    rows = places[np.minimum(np.arange(frames) * count // frames, count)]
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
