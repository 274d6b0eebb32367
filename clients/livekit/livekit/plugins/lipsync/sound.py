"""Sound as an agent gives it, of any rate and number of channels, as samples of one rate: mono, ``s16le``."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from livekit import rtc

__all__ = ["Converter"]


class Converter:
    """Converts the sound of one utterance after another; what is of the right rate and mono passes as it is.

    Args:
        sample_rate: Samples a second that come out.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._rate: int | None = None
        self._resampler: rtc.AudioResampler | None = None

    def push(self, frame: rtc.AudioFrame) -> bytes:
        """Return what there is after one more piece; a resampler keeps the last milliseconds back."""
        rest = b"" if frame.sample_rate == self._rate else self.flush()
        if frame.sample_rate == self._sample_rate:
            return rest + _mono(frame)
        if self._resampler is None:
            self._rate = frame.sample_rate
            self._resampler = rtc.AudioResampler(
                frame.sample_rate, self._sample_rate, quality=rtc.AudioResamplerQuality.HIGH
            )
        return rest + _joined(self._resampler.push(bytearray(_mono(frame))))

    def flush(self) -> bytes:
        """Return what was kept back: the utterance is over, or goes on at another rate."""
        resampler, self._resampler, self._rate = self._resampler, None, None
        return b"" if resampler is None else _joined(resampler.flush())

    def reset(self) -> None:
        """Forget what was kept back."""
        self._resampler = self._rate = None


def _mono(frame: rtc.AudioFrame) -> bytes:
    """Return the mean of the channels."""
    if frame.num_channels == 1:
        return bytes(frame.data.cast("B"))
    samples = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
    mono: bytes = np.rint(samples.mean(axis=1)).astype("<i2").tobytes()
    return mono


def _joined(frames: Iterable[rtc.AudioFrame]) -> bytes:
    return b"".join(bytes(frame.data.cast("B")) for frame in frames)
