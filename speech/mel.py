"""Mel spectrograms, as the AVE audio encoder wants them, and the window of it that belongs to each frame.

The formula is that of the published encoder: pre-emphasis, magnitude STFT, 80 Slaney mel bands, decibels, and a
linear map to -4 to 4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from speech.contract import FPS, SAMPLE_RATE_HZ

__all__ = [
    "FFT_SIZE",
    "FLOOR",
    "HOP",
    "MEL_BANDS",
    "MEL_FRAMES_PER_S",
    "PRE_EMPHASIS",
    "RANGE_DB",
    "REFERENCE_DB",
    "SMALLEST_MAGNITUDE",
    "VECTOR_SAMPLES",
    "WINDOW_FRAMES",
    "hann_window",
    "mel_filters",
    "mel_of_emphasised",
    "mel_spectrogram",
    "mel_windows",
    "window_count",
    "window_start",
    "window_starts",
]

MEL_BANDS = 80
WINDOW_FRAMES = 16
"""Mel frames of one encoder input: 200 ms."""

FLOOR = -4.0
"""The value of digital silence, and the least there is."""

FFT_SIZE = 800
HOP = 200
MEL_FRAMES_PER_S = SAMPLE_RATE_HZ / HOP
VECTOR_SAMPLES = (WINDOW_FRAMES - 1) * HOP + FFT_SIZE
"""Emphasised samples that one encoder input is made of: 3,800."""

PRE_EMPHASIS = 0.97
BAND_RANGE_HZ = (55.0, 7600.0)
SMALLEST_MAGNITUDE = 1e-5
REFERENCE_DB = 20.0
RANGE_DB = 100.0

# The Slaney scale: linear below 1 kHz, logarithmic above.
LINEAR_HZ_PER_MEL = 200.0 / 3
LOG_START_HZ = 1000.0
LOG_START_MEL = LOG_START_HZ / LINEAR_HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27


def mel_spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mel spectrogram of a sound.

    Args:
        samples: (S,) float32, 16 kHz mono, -1.0 to 1.0.

    Returns:
        (80, 1 + S // 200) float32, -4.0 to 4.0; a column every 12.5 ms.
    """
    emphasised = np.append(samples[:1], samples[1:] - np.float32(PRE_EMPHASIS) * samples[:-1])
    return mel_of_emphasised(np.pad(emphasised, FFT_SIZE // 2))


def mel_of_emphasised(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mel frames that lie whole within a sound after pre-emphasis.

    Args:
        samples: (S,) float32, 16 kHz mono, S of at least 800.

    Returns:
        (80, 1 + (S - 800) // 200) float32, -4.0 to 4.0; the first is centred on sample 400.
    """
    slices = np.lib.stride_tricks.sliding_window_view(samples, FFT_SIZE)[::HOP]
    magnitudes = np.abs(np.fft.rfft(slices * hann_window(), axis=1))
    bands = mel_filters() @ magnitudes.T  # (80, T)
    decibels = 20 * np.log10(np.maximum(SMALLEST_MAGNITUDE, bands)) - REFERENCE_DB
    scaled = np.clip(8 * (decibels + RANGE_DB) / RANGE_DB - 4, FLOOR, 4)
    return np.asarray(scaled, np.float32)


def window_count(mel_frames: int) -> int:
    """Return how many encoder inputs a mel spectrogram holds; 0 if it is shorter than one."""
    if mel_frames < WINDOW_FRAMES:
        return 0
    return int((mel_frames - WINDOW_FRAMES) / MEL_FRAMES_PER_S * FPS) + 2


def window_start(frame: int) -> int:
    """Return the first mel frame of a video frame's window, in a sound without end."""
    return int(frame * MEL_FRAMES_PER_S / FPS)


def window_starts(mel_frames: int, frame_count: int) -> NDArray[np.int64]:
    """Return the first mel frame of each video frame's window: (frame_count,), past the end the last that fits."""
    starts = np.array([window_start(frame) for frame in range(frame_count)], np.int64)
    return np.minimum(starts, mel_frames - WINDOW_FRAMES)


def mel_windows(mel: NDArray[np.float32], frame_count: int) -> NDArray[np.float32]:
    """Return the 16 mel frames from each video frame's start on.

    Args:
        mel: (80, T) with T of at least 16.
        frame_count: How many video frames, at 25 per second.

    Returns:
        (frame_count, 80, 16) float32.
    """
    starts = window_starts(mel.shape[1], frame_count)
    return mel[:, starts[:, None] + np.arange(WINDOW_FRAMES)].transpose(1, 0, 2)


def hann_window() -> NDArray[np.float64]:
    """Return the periodic Hann window of one mel frame: (800,)."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SIZE) / FFT_SIZE))


@lru_cache(maxsize=1)
def mel_filters() -> NDArray[np.float64]:
    """Return the triangles of the 80 bands, each of area 1 per Hz pair (Slaney): (80, 401)."""
    edges_mel = np.linspace(_to_mel(BAND_RANGE_HZ[0]), _to_mel(BAND_RANGE_HZ[1]), MEL_BANDS + 2)
    edges_hz = _to_hz(edges_mel)
    bins_hz = np.arange(FFT_SIZE // 2 + 1) * SAMPLE_RATE_HZ / FFT_SIZE
    low, centre, high = (edges_hz[i : i + MEL_BANDS, None] for i in range(3))
    triangles = np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre))
    return np.asarray(np.maximum(0, triangles) * 2 / (high - low))


def _to_mel(hz: float) -> float:
    if hz < LOG_START_HZ:
        return hz / LINEAR_HZ_PER_MEL
    return float(LOG_START_MEL + np.log(hz / LOG_START_HZ) / LOG_STEP)


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = LOG_START_HZ * np.exp(LOG_STEP * (mel - LOG_START_MEL))
    return np.where(mel < LOG_START_MEL, mel * LINEAR_HZ_PER_MEL, logarithmic)
