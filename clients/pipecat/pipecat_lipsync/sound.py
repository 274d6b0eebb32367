"""Speech as frames bring it, at the rate it is played at: pure functions of what came, no I/O.

A voice may come at another rate than the transport plays, with one channel or two, and cut anywhere. It is resampled
here, once and as a stream, so that the transport has nothing to resample and holds nothing back: each picture can have
exactly its own sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from pipecat.frames.frames import TTSAudioRawFrame

__all__ = ["SAMPLE_BYTES", "Sound", "Voice", "frame_like"]

SAMPLE_BYTES = 2
QUALITY = "HQ"
LOUDEST = np.iinfo(np.int16)

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Sound:
    """A piece of speech.

    Attributes:
        samples: (S, C) int16: as it is played.
        like: A frame of the speech, whose context, destination and interruptibility this piece shares.
    """

    samples: Samples
    like: TTSAudioRawFrame

    @property
    def mono(self) -> bytes:
        """The mean of its channels, as a bridge is sent it."""
        samples = self.samples
        if samples.shape[1] > 1:
            samples = samples.mean(axis=1, dtype=np.float32).round().astype(np.int16)
        return bytes(samples.tobytes())


class Voice:
    """Turns frames of speech into sound of one rate; what a resampler holds back is there at the utterance's end.

    Args:
        rate: Samples a second of the sound to be played.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._source: tuple[int, int] | None = None
        self._resampler: soxr.ResampleStream | None = None
        self._rest = b""
        self._like: TTSAudioRawFrame | None = None

    def hear(self, frame: TTSAudioRawFrame) -> list[Sound]:
        """Return the sound that a frame completes: two pieces where one of another kind ends with it, or none."""
        ended = self.end() if self._source != (frame.sample_rate, frame.num_channels) else []
        if self._source is None:
            self._source = (frame.sample_rate, frame.num_channels)
            self._resampler = self._new_resampler()
        self._like = frame
        data = self._rest + frame.audio
        whole = len(data) - len(data) % (SAMPLE_BYTES * frame.num_channels)
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], np.int16).reshape(-1, frame.num_channels)
        return [*ended, *self._sounds(samples, last=False)]

    def end(self) -> list[Sound]:
        """Return what was held back; what is heard next is another utterance."""
        if self._source is None:
            return []
        sounds = self._sounds(np.zeros((0, self._source[1]), np.int16), last=True)
        self.forget()
        return sounds

    def forget(self) -> None:
        """Drop what is held back: the utterance was interrupted."""
        self._source, self._resampler, self._rest, self._like = None, None, b"", None

    def _new_resampler(self) -> soxr.ResampleStream | None:
        assert self._source is not None
        rate, channels = self._source
        if rate == self._rate:
            return None
        return soxr.ResampleStream(rate, self._rate, channels, dtype="float32", quality=QUALITY)

    def _sounds(self, samples: Samples, *, last: bool) -> list[Sound]:
        assert self._like is not None
        if self._resampler is not None:
            resampled = self._resampler.resample_chunk(samples.astype(np.float32), last=last)
            samples = (
                resampled.round()
                .clip(LOUDEST.min, LOUDEST.max)
                .astype(np.int16)
                .reshape(-1, samples.shape[1])
            )
        return [Sound(samples, self._like)] if len(samples) else []


def frame_like(like: TTSAudioRawFrame, audio: bytes, rate: int) -> TTSAudioRawFrame:
    """Return a frame of other sound at ``rate`` that is else as ``like``."""
    frame = TTSAudioRawFrame(audio, rate, like.num_channels, context_id=like.context_id)
    frame.transport_destination = like.transport_destination
    frame.interruptible = like.interruptible
    return frame
