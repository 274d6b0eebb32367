"""Decode the sound of a video, at the times when players play it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.clip import Remark
from export.footage.container import (
    decodable_tracks,
    decode,
    import_av,
    is_default,
    open_container,
    shown_track,
)
from speech.contract import SAMPLE_RATE_HZ
from speech.wav import LONGEST_S, mix_channels

__all__ = ["Track", "read_track"]

SIDES = "left", "right"

GAP_S = 0.05
"""How far a piece of sound may begin from where the last one ended and still follow it; stamps are rounded."""

LONGEST_GAP_S = 60.0
"""A damaged time stamp may claim years, which would be filled with silence."""


@dataclass(frozen=True)
class Track:
    """The sound of a video.

    Attributes:
        samples: (S,) int16 at 16 kHz mono; sample 0 sounds when the first picture is shown.
        remarks: Which of several tracks it is, and what was done to it.
    """

    samples: NDArray[np.int16]
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True)
class _Piece:
    """Sound without a gap: ``samples``, (channels, S) int16 at 16 kHz, from ``start_s`` on."""

    start_s: float
    samples: NDArray[np.int16]


def read_track(video: Path, start_s: float) -> Track | None:
    """Decode the sound track that players play; None if there is none.

    Args:
        video: The file.
        start_s: When its first picture is shown, in seconds of its clock.

    Raises:
        MissingExtra: If PyAV is not installed.
        BadSource: If the file cannot be opened, its sound not be mixed, or if it pauses for more than a minute
            or lasts for more than two hours.
    """
    with open_container(video) as container:
        track = shown_track(container.streams.audio)
        if track is None:
            return None
        try:
            pieces = list(_pieces(video, container, track))
        except import_av().FFmpegError as exc:
            raise BadSource(
                video, "a video whose sound FFmpeg can mix and resample", f"{exc.strerror}"
            ) from exc
        remarks = [*_choice_remarks(container.streams.audio, track), *_rate_remarks(track)]
    sound, gap_s = _laid_out(video, pieces, start_s)
    if gap_s:
        remarks.append(Remark(f"its sound pauses, {gap_s:.2f} s in all, and silence is put there"))
    samples, cancelled = _mixed(sound)
    return Track(samples, (*remarks, *cancelled))


def _pieces(video: Path, container: Any, track: Any) -> Iterator[_Piece]:
    """Yield the sound at 16 kHz, mono or stereo, in as many pieces as its time stamps tell apart."""
    layout = "mono" if track.codec_context.layout.nb_channels == 1 else "stereo"
    start_s = end_s = held_s = 0.0
    kind: tuple[object, ...] = ()
    resampler: Any = None
    parts: list[NDArray[np.int16]] = []
    for frame in decode(container, track):
        frame_kind = frame.sample_rate, frame.layout.name, frame.format.name
        time_s = end_s if frame.time is None else frame.time
        if frame_kind != kind or abs(time_s - end_s) > GAP_S:
            if resampler is not None:
                yield _Piece(start_s, np.concatenate([*parts, *_resampled(resampler, None)], axis=1))
            resampler = import_av().AudioResampler(format="s16p", layout=layout, rate=SAMPLE_RATE_HZ)
            kind, parts, start_s, end_s = frame_kind, [], time_s, time_s
        end_s += frame.samples / frame.sample_rate
        held_s += frame.samples / frame.sample_rate
        _check_length(video, held_s)
        frame.pts = None  # sound follows sound within a piece; its times are kept here
        parts.extend(_resampled(resampler, frame))
    if resampler is not None:
        yield _Piece(start_s, np.concatenate([*parts, *_resampled(resampler, None)], axis=1))


def _check_length(video: Path, length_s: float) -> None:
    """Check that sound is no longer than any clip's: hours of silence fit into a small file."""
    if length_s > LONGEST_S:
        raise BadSource(video, f"up to {LONGEST_S} s of sound", "more")


def _resampled(resampler: Any, frame: Any | None) -> list[NDArray[np.int16]]:
    return [part.to_ndarray() for part in resampler.resample(frame)]


def _laid_out(video: Path, pieces: list[_Piece], start_s: float) -> tuple[NDArray[np.int16], float]:
    """Return the pieces at their times, (channels, S) from ``start_s`` on, and how long the pauses between are."""
    parts = [np.zeros((1, 0), np.int16)] if not pieces else []
    filled = pause = 0
    for index, piece in enumerate(pieces):
        at = round((piece.start_s - start_s) * SAMPLE_RATE_HZ)
        silence = max(0, at - filled)
        if silence > LONGEST_GAP_S * SAMPLE_RATE_HZ:
            expected = f"sound without a pause of more than {LONGEST_GAP_S:g} s"
            raise BadSource(video, expected, f"one of {silence / SAMPLE_RATE_HZ:.1f} s")
        fresh = piece.samples[:, max(0, filled - at) :]
        parts += [np.zeros((len(fresh), silence), np.int16), fresh]
        filled += silence + fresh.shape[1]
        _check_length(video, filled / SAMPLE_RATE_HZ)
        pause += silence if index else 0
    return np.concatenate(parts, axis=1), pause / SAMPLE_RATE_HZ


def _mixed(sound: NDArray[np.int16]) -> tuple[NDArray[np.int16], tuple[Remark, ...]]:
    """Mix one or two channels, (channels, S), to one; where they cancel each other, take the louder one."""
    mix, louder = mix_channels(sound.T.astype(np.float32))
    samples = np.rint(mix).astype(np.int16)
    if louder is None:
        return samples, ()
    text = f"its channels cancel each other when mixed, so only the {SIDES[louder]} one is heard"
    return samples, (Remark(text),)


def _choice_remarks(tracks: Any, track: Any) -> Iterator[Remark]:
    known = decodable_tracks(tracks)
    if len(known) > 1:
        reason = "the default one" if is_default(track) else "as none is marked as the default"
        language = f" ({track.language})" if track.language not in (None, "und") else ""
        number = known.index(track) + 1
        yield Remark(f"{len(known)} sound tracks, of which number {number}{language} was taken, {reason}")


def _rate_remarks(track: Any) -> Iterator[Remark]:
    rate_hz = track.codec_context.sample_rate
    if rate_hz and rate_hz < SAMPLE_RATE_HZ:
        yield Remark(
            f"its sound has {rate_hz} samples a second, and nothing above {rate_hz / 2:g} Hz to be heard"
        )
