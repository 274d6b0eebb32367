"""The sound of a clip, as the audio encoder and viewers hear it: 16 kHz, mono, beginning with the first picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.track import Track, read_track
from speech.contract import FPS, SAMPLE_RATE_HZ
from speech.errors import BadSound
from speech.wav import FULL_SCALE, SILENCE_PEAK, read_wav, to_int16

__all__ = [
    "find_track",
    "find_wav",
    "fit_length",
    "read_sound",
]

WAV_FILE = "aud.wav"
"""What training repositories call the sound of a clip."""

LENGTH_TOLERANCE_S = 1.0
"""How much longer or shorter than the pictures the sound may be; recorders stop the two up to some tenths apart."""


def read_sound(video: Path, start_s: float) -> Track:
    """Decode a video's sound track, in which somebody must speak; see ``read_track``.

    Args:
        video: The file.
        start_s: When its first picture is shown, in seconds of its clock.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the file cannot be decoded, has no sound, or is silent throughout.
    """
    track = read_track(video, start_s)
    if track is None:
        raise BadSource(video, "a video with sound", "one without a sound track")
    if not track.samples.size:
        raise BadSource(video, "a video with sound", "a sound track of which nothing can be decoded")
    if np.abs(track.samples.astype(np.float64)).max() < SILENCE_PEAK * FULL_SCALE:
        raise BadSource(video, "a video with speech", "a sound track that is silent throughout")
    return track


def find_track(video: Path, start_s: float) -> Track:
    """Decode the sound that a video may have; see ``read_track``.

    Returns:
        An empty one if the video has no sound track.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the file cannot be decoded.
    """
    return read_track(video, start_s) or Track(np.zeros(0, np.int16))


def find_wav(folder: Path) -> NDArray[np.int16]:
    """Read ``aud.wav``, the sound that a clip's folder may hold.

    Returns:
        (S,) int16 at 16 kHz; empty without that file.

    Raises:
        BadSource: If the file is no PCM WAV, or empty.
    """
    path = folder / WAV_FILE
    if not path.exists():
        return np.zeros(0, np.int16)
    try:
        return to_int16(read_wav(path))
    except BadSound as exc:
        raise BadSource(exc.path, exc.expected, exc.got) from exc


def fit_length(video: Path, sound: NDArray[np.int16], frame_count: int) -> NDArray[np.int16]:
    """Cut or lengthen sound, by silence, to the length of its pictures at 25 fps.

    Raises:
        BadSource: If the lengths differ by more than a second.
    """
    wanted_s, got_s = frame_count / FPS, sound.size / SAMPLE_RATE_HZ
    if abs(wanted_s - got_s) > LENGTH_TOLERANCE_S:
        expected = f"{wanted_s:.2f} s of sound like of pictures (give or take {LENGTH_TOLERANCE_S:g} s)"
        raise BadSource(video, expected, f"{got_s:.2f} s")
    wanted = round(wanted_s * SAMPLE_RATE_HZ)
    return np.pad(sound[:wanted], (0, max(0, wanted - sound.size)))
