"""Sound of any kind, from a file or a pipe, as two things at once: what a bridge hears, and what a video plays."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
from av import AudioFrame, Packet
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from lipsync_client.errors import BadSound

__all__ = ["HEARD_RATE", "PIPE", "RawFormat", "SoundFile", "SoundPiece"]

HEARD_RATE = 16_000
PIPE = "-"
"""The name of the standard input."""

RATES_HZ = (4_000, 192_000)
TRACK_FORMAT = "fltp"
TRACK_RATES = (48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000)
"""Rates that AAC has; what is of another one is played at the first of them."""


@dataclass(frozen=True)
class RawFormat:
    """What sound without a header is: mono, ``s16le`` or ``f32le``, of ``sample_rate``."""

    name: str
    sample_rate: int


@dataclass(frozen=True, eq=False)
class SoundPiece:
    """Some sound: ``pcm``, 16 kHz mono ``s16le``, for a bridge, and ``frames``, the same for a sound track."""

    pcm: bytes
    frames: tuple[AudioFrame, ...]


class SoundFile:
    """Decodes sound, a piece at a time, whatever its length; one thread reads it and closes it.

    Args:
        source: A file, or ``-`` for the standard input.
        raw: What it is, where it has no header.

    Attributes:
        track_rate: Samples a second of a video's sound track.
        track_layout: ``mono`` or ``stereo``.
        duration_s: How long it says it is, None if it does not.

    Raises:
        BadSound: If there is no sound in it.
        OSError: If it cannot be opened.
    """

    def __init__(self, source: str, raw: RawFormat | None = None) -> None:
        self._source = source
        self._container = _opened(source, raw)
        known = [stream for stream in self._container.streams.audio if stream.codec_context]
        if not known:
            self.close()
            raise BadSound(source, "sound", "none")
        self._stream = known[0]
        rate = self._stream.rate
        low, high = RATES_HZ
        if not low <= rate <= high:  # resampling from any other takes gigabytes
            self.close()
            raise BadSound(source, f"sound of {low} to {high} samples a second", f"{rate}")
        self.track_rate = rate if rate in TRACK_RATES else TRACK_RATES[0]
        self.track_layout = "mono" if self._stream.layout.nb_channels == 1 else "stereo"
        duration, time_base = self._stream.duration, self._stream.time_base
        self.duration_s = float(duration * time_base) if duration and time_base else None

    def pieces(self) -> Iterator[SoundPiece]:
        """Yield the sound from its start to its end; what cannot be decoded is passed over.

        Raises:
            BadSound: If nothing could be decoded, or if it becomes another kind of sound in the middle.
        """
        track = AudioResampler(format=TRACK_FORMAT, layout=self.track_layout, rate=self.track_rate)
        heard = AudioResampler(format="s16", layout="mono", rate=HEARD_RATE)
        is_empty = True
        for frame in chain(self._frames(), [None]):
            frames = self._resampled(track, frame)
            pcm = [_pcm(heard.resample(_copied(part))) for part in frames]
            if frame is None:
                pcm.append(_pcm(heard.resample(None)))
            is_empty = is_empty and not frames
            yield SoundPiece(b"".join(pcm), frames)
        if is_empty:
            raise BadSound(self._source, "sound", "none that can be decoded")

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _resampled(self, resampler: AudioResampler, frame: AudioFrame | None) -> tuple[AudioFrame, ...]:
        if frame is not None:
            frame.pts = None  # sound follows sound: gaps in time stamps would only be filled by guesses
        try:
            return tuple(resampler.resample(frame))
        except ValueError as exc:
            raise BadSound(self._source, "sound of one rate and layout", "another in the middle") from exc

    def _frames(self) -> Iterator[AudioFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                assert isinstance(frame, AudioFrame)
                if frame.samples:
                    yield frame

    def _packets(self) -> Iterator[Packet[Any]]:
        """Yield what is stored; a file that breaks off ends there."""
        with suppress(av.error.FFmpegError):
            yield from self._container.demux(self._stream)


def _copied(frame: AudioFrame) -> AudioFrame:
    """Return a frame that may be given to a resampler, which keeps what it is given."""
    copy = AudioFrame.from_ndarray(frame.to_ndarray(), format=TRACK_FORMAT, layout=frame.layout.name)
    copy.sample_rate = frame.sample_rate
    return copy


def _pcm(frames: list[AudioFrame]) -> bytes:
    return b"".join(frame.to_ndarray().tobytes() for frame in frames)


class _Pipe:
    """The standard input as the decoder wants it: it can be read, and nothing else.

    Read without a buffer: a thread that is left waiting in one would keep the interpreter from ending.
    """

    def __init__(self) -> None:
        self._file = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115

    def read(self, size: int) -> bytes:
        return self._file.read(size) or b""


def _opened(source: str, raw: RawFormat | None) -> InputContainer:
    options = {} if raw is None else {"sample_rate": str(raw.sample_rate), "ch_layout": "mono"}
    try:
        container: InputContainer = av.open(
            _readable(source), "r", format=raw.name if raw else None, options=options
        )
        return container
    except av.error.EOFError as exc:
        raise BadSound(source, "sound", "nothing") from exc
    except av.error.FFmpegError as exc:
        if isinstance(exc, OSError):
            raise
        raise BadSound(source, "sound of a known format", "something else") from exc


def _readable(source: str) -> Any:
    if source != PIPE:
        with Path(source).open("rb"):  # says in the system's words what is wrong
            return f"file:{source}"  # else FFmpeg takes what stands before a colon for a protocol: talk-12:30.wav
    if stat.S_ISCHR(os.fstat(sys.stdin.fileno()).st_mode):
        raise BadSound(source, "sound from a pipe", "a terminal or no input")
    return _Pipe()
