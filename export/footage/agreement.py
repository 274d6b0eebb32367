"""Whether the pictures, the speech features and the sound of a clip are of one length."""

from __future__ import annotations

from pathlib import Path

from export.errors import BadSource
from speech.contract import SAMPLE_RATE_HZ

__all__ = ["RATES", "USUAL_RATES", "VECTOR_TOLERANCE", "check_lengths", "check_rate"]

RATES = (1.0, 60.0)
"""Pictures per second that a clip may have."""

USUAL_RATES = {"ave": 25.0, "hubert": 25.0, "wenet": 20.0}
"""Pictures per second, and vectors, that training repositories prescribe for each kind of speech features."""

VECTOR_TOLERANCE = 5
"""Feature vectors that may be missing or left over at the end of a clip; published clips differ by 1 or 2."""

SOUND_TOLERANCE = 0.02
"""How much longer or shorter than the pictures the sound may be, in parts of them; 24 for 25 a second are 4 %."""

SOUND_TOLERANCE_S = (0.25, 1.0)
"""The same in seconds, at least and at most; recorders stop sound and pictures up to some tenths apart."""


def check_rate(path: Path, fps: float) -> None:
    """Check that a clip can be served at its rate.

    Raises:
        BadSource: If it has fewer than 1 or more than 60 pictures a second.
    """
    if not RATES[0] <= fps <= RATES[1]:  # refuses NaN, too
        raise BadSource(path, f"{RATES[0]:g} to {RATES[1]:g} pictures a second", f"{fps:g}")


def check_lengths(
    path: Path, frames: int, fps: float, vectors: int, samples: int, remedy: bool = False
) -> None:
    """Check that pictures, features and sound belong to one clip and rate.

    Args:
        path: The clip, for the message.
        frames: How many pictures there are.
        fps: How many of them a second is.
        vectors: How many feature vectors; there should be one for each picture.
        samples: Of sound at 16 kHz; 0 if the clip comes without.
        remedy: Whether to name ``--fps`` if another rate would make pictures and sound agree.

    Raises:
        BadSource: If their lengths differ by more than ends of recordings do; the message has all three.
    """
    sound_s = samples / SAMPLE_RATE_HZ
    if abs(vectors - frames) <= VECTOR_TOLERANCE and (not samples or _agree(frames / fps, sound_s)):
        return
    sound = f"{sound_s:.2f} s of sound" if samples else "no sound"
    got = (
        f"{frames} pictures ({frames / fps:.2f} s at {fps:g} a second), {vectors} feature vectors and {sound}"
    )
    fitting = round(frames / sound_s) if samples else 0
    if remedy and RATES[0] <= fitting <= RATES[1] and fitting != fps and _agree(frames / fitting, sound_s):
        got += f" (for {fitting} pictures a second: --fps {fitting})"
    raise BadSource(path, "pictures, feature vectors (one a picture) and sound of one length", got)


def _agree(pictures_s: float, sound_s: float) -> bool:
    least, most = SOUND_TOLERANCE_S
    return abs(pictures_s - sound_s) <= min(most, max(least, SOUND_TOLERANCE * pictures_s))
