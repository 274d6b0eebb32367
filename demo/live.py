"""How well the lips follow a voice in live speech: what is painted on frames that have nothing to do with the sound.

The frames' own mouths say other things than the sound, so all that agrees with the truth was heard. The truth is what
the drawing would have been told: no picture of it is needed, and any recording whose phonemes are known will do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from demo.geometry import mouth_size
from demo.measure import best_lag, correlation
from demo.motion import FPS
from demo.quality import Network, Pictures, Vectors, measure_mouths, paint, window_vectors
from demo.visemes import mouth_poses
from demo.voices import Speech
from speech.contract import SAMPLE_RATE_HZ
from speech.features import AudioEncoder, extract_features
from speech.wav import FULL_SCALE

__all__ = ["Followed", "hear", "measure_followed", "measure_in_noise"]

NOISE_S = 2.0
NOISE_SLOPE = 0.95
"""Of a room: each sample keeps so much of the one before, so that low tones are the loudest."""


@dataclass(frozen=True)
class Followed:
    """What was measured, over all frames.

    Attributes:
        frames: How many.
        opening: Correlation of painted and true opening.
        width: Correlation of painted and true width.
        opened: Mean painted opening, as a share of the mean true one.
        lag_frames: By how much the painted opening comes late (early: below 0), as it correlates best.
    """

    frames: int
    opening: float
    width: float
    opened: float
    lag_frames: int


def hear(speech: Speech, encoder: AudioEncoder, frames: int) -> Vectors:
    """Return the window of feature vectors around each frame: (frames, 32, 16, 16) float32."""
    samples = speech.sound / np.float32(FULL_SCALE)
    return window_vectors(extract_features(samples, encoder, Path("speech")), frames)


def measure_followed(speech: Speech, faces: Pictures, network: Network, encoder: AudioEncoder) -> Followed:
    """Paint a recording onto other frames and compare the mouths with what is said.

    Args:
        speech: A recording that was not trained on.
        faces: (N, 320, 320, 3) uint8 BGR, not of this recording; begun again when they are over.
        network: What paints.
        encoder: What hears.

    Raises:
        UnknownPhoneme: If the speech holds a phoneme that has no mouth shape.
    """
    frames = len(speech.sound) * FPS // SAMPLE_RATE_HZ
    poses = mouth_poses(speech.phonemes, frames, FPS)
    truth = np.array([mouth_size(pose) for pose in poses], np.float32)
    other = faces[np.arange(frames) % len(faces)]
    opening, width, _ = measure_mouths(paint(network, other, hear(speech, encoder, frames)))
    return Followed(
        frames=frames,
        opening=correlation(truth[:, 0], opening),
        width=correlation(truth[:, 1], width),
        opened=float(opening.mean() / truth[:, 0].mean()),
        lag_frames=best_lag(truth[:, 0], opening),
    )


def measure_in_noise(faces: Pictures, network: Network, encoder: AudioEncoder, level_db: float) -> float:
    """Return the mean opening while nobody speaks in a room that is not silent.

    Args:
        faces: (N, 320, 320, 3) uint8 BGR.
        network: What paints.
        encoder: What hears.
        level_db: Of the noise, below the loudest there is; speech in the recordings here is at -21.
    """
    noise = Speech(_noise(level_db), ())
    count = round(NOISE_S * FPS)
    audio = hear(noise, encoder, count)[count // 2]
    opening, _, _ = measure_mouths(paint(network, faces, np.repeat(audio[None], len(faces), axis=0)))
    return float(opening.mean())


def _noise(level_db: float) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Return noise as of a room's ventilation, the same at every call: int16 samples at 16 kHz."""
    rng = np.random.default_rng(0)
    hiss = rng.standard_normal(round(NOISE_S * SAMPLE_RATE_HZ))
    reach = np.arange(200)
    hum = np.convolve(hiss, NOISE_SLOPE**reach)[: len(hiss)]
    hum *= 10 ** (level_db / 20) * FULL_SCALE / np.sqrt(np.mean(hum**2))
    return np.asarray(np.clip(np.rint(hum), -32768, 32767), np.int16)
