"""Sound as it arrives in pieces: PCM of any usual rate to 16 kHz samples, the same ones that the whole file gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ

__all__ = ["FORMATS", "RATES_HZ", "SoundStream", "resample", "resample_blocks"]

RATES_HZ = range(8_000, 48_001)
"""Sample rates that a stream may have."""

FORMATS: dict[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Sample formats that a stream may have, mono, by FFmpeg's names."""

FULL_SCALE = np.float32(32768)
QUALITY = "HQ"

Samples = NDArray[np.float32]


class SoundStream:
    """Decodes and resamples a stream of PCM: ``feed`` pieces, then ``flush``.

    Args:
        rate_hz: Samples per second, one of ``RATES_HZ``.
        format_name: A key of ``FORMATS``.

    Attributes:
        bytes_per_sample: What the length of a piece has to be a multiple of.
    """

    def __init__(self, rate_hz: int = SAMPLE_RATE_HZ, format_name: str = "s16le") -> None:
        assert rate_hz in RATES_HZ
        self._dtype = FORMATS[format_name]
        self._rate_hz = rate_hz
        self.bytes_per_sample = self._dtype.itemsize
        self._resampler = _resampler(rate_hz) if rate_hz != SAMPLE_RATE_HZ else None

    def feed(self, data: bytes) -> Samples:
        """Return the samples that a piece completes, (S,) float32, 16 kHz, -1.0 to 1.0; what is not finite is 0."""
        pcm = np.frombuffer(data, self._dtype)
        if self._dtype.kind == "i":
            samples = pcm.astype(np.float32) / FULL_SCALE
        else:
            samples = np.nan_to_num(pcm.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0).clip(-1, 1)
        return samples if self._resampler is None else _resampled(self._resampler, samples, last=False)

    def flush(self) -> Samples:
        """Return the samples that were held back, and begin anew: what is fed next is another sound."""
        if self._resampler is None:
            return np.zeros(0, np.float32)
        rest = _resampled(self._resampler, np.zeros(0, np.float32), last=True)
        self._resampler = _resampler(self._rate_hz)
        return rest


def resample(samples: NDArray[np.floating], rate_hz: int) -> Samples:  # type: ignore[type-arg]
    """Return a whole sound of any rate at 16 kHz, (S,) float32, without what lies above the lower rate's half."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples.astype(np.float32)
    return _resampled(_resampler(rate_hz), samples.astype(np.float32), last=True)


def resample_blocks(blocks: Iterable[NDArray[np.floating]], rate_hz: int) -> Samples:  # type: ignore[type-arg]
    """Return a sound that comes in blocks as ``resample`` returns it whole."""
    if rate_hz == SAMPLE_RATE_HZ:
        return np.concatenate([np.zeros(0, np.float32), *(block.astype(np.float32) for block in blocks)])
    resampler = _resampler(rate_hz)
    parts = [_resampled(resampler, block.astype(np.float32), last=False) for block in blocks]
    return np.concatenate([*parts, _resampled(resampler, np.zeros(0, np.float32), last=True)])


def _resampler(rate_hz: int) -> soxr.ResampleStream:
    return soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality=QUALITY)


def _resampled(resampler: soxr.ResampleStream, samples: Samples, last: bool) -> Samples:
    return np.asarray(resampler.resample_chunk(samples, last=last), np.float32).reshape(-1)
