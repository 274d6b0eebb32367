"""The sound of a clip, as the audio encoder and viewers hear it: 16 kHz, mono, beginning with the first picture."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource, MissingExtra
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


def read_sound(video: Path) -> NDArray[np.int16]:
    """Decode a video's first sound track; FFmpeg's libraries come with PyAV, so no FFmpeg program is needed.

    Returns:
        (S,) int16 at 16 kHz, its channels mixed; sample 0 sounds when the first picture is shown.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the file cannot be decoded, has no sound, or is silent throughout.
    """
    sound = _read_track(video)
    if sound is None:
        raise BadSource(video, "a video with sound", "one without a sound track")
    if not sound.size or np.abs(sound.astype(np.float64)).max() < SILENCE_PEAK * FULL_SCALE:
        raise BadSource(video, "a video with speech", "a sound track that is silent throughout")
    return sound


def find_track(video: Path) -> NDArray[np.int16]:
    """Decode the sound that a video may have; see ``read_sound``.

    Returns:
        (S,) int16 at 16 kHz; empty without a sound track, and where PyAV is not installed.

    Raises:
        BadSource: If the file cannot be decoded.
    """
    try:
        sound = _read_track(video)
    except MissingExtra:
        sound = None
    return np.zeros(0, np.int16) if sound is None else sound


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


def _import_av() -> ModuleType:
    try:
        return importlib.import_module("av")
    except ModuleNotFoundError as exc:
        raise MissingExtra("PyAV", "video") from exc


def _read_track(video: Path) -> NDArray[np.int16] | None:
    """Decode a video's first sound track, or return None where there is none."""
    av = _import_av()
    try:
        with av.open(str(video)) as container:
            return _decode(av, container) if container.streams.audio else None
    except av.FFmpegError as exc:
        raise BadSource(video, "a video whose sound FFmpeg can decode", f"{exc.strerror}") from exc


def _decode(av: ModuleType, container: Any) -> NDArray[np.int16]:
    stream = container.streams.audio[0]
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    chunks: list[NDArray[np.int16]] = []
    start_s: float | None = None
    for frame in container.decode(stream):
        start_s = (frame.time or 0.0) if start_s is None else start_s
        chunks.extend(part.to_ndarray().reshape(-1) for part in resampler.resample(frame))
    if start_s is None:
        return np.zeros(0, np.int16)
    chunks.extend(part.to_ndarray().reshape(-1) for part in resampler.resample(None))
    late = round((start_s - _first_picture_s(container)) * SAMPLE_RATE_HZ)
    sound = np.concatenate(chunks)[max(0, -late) :]
    return np.pad(sound, (max(0, late), 0))


def _first_picture_s(container: Any) -> float:
    """Return when the first picture is shown, in seconds of the file's clock."""
    for stream in container.streams.video[:1]:
        if stream.start_time is not None:
            return float(stream.start_time * stream.time_base)
    return 0.0
