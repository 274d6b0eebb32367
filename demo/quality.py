"""How well a network makes the character speak: what it paints on a take, compared with the truth.

The network is run as it is served: the reference it sees is the very frame to paint. So a network that copied the
reference's mouth would look perfect; that it follows the sound instead is shown by sound that does not belong to the
picture: silence has to close the mouth, and shuffled sound has to move it at the wrong times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo.measure import best_lag, correlation, measure_mouth, mouth_psnr
from export.footage.dataset import open_dataset
from speech.contract import AUDIO_SHAPES, AUDIO_WINDOW
from speech.features import AudioEncoder
from speech.mel import FLOOR, MEL_BANDS, WINDOW_FRAMES
from speech.windows import window_indices

__all__ = [
    "KnownTake",
    "Network",
    "Pictures",
    "Quality",
    "Vectors",
    "measure_mouths",
    "measure_quality",
    "open_known_take",
    "paint",
    "silence",
    "window_vectors",
]

BATCH_SIZE = 8

Pictures = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Network = Callable[[Pictures, Vectors], Pictures]
"""From faces (B, 320, 320, 3) uint8 BGR and audio (B, 32, 16, 16) float32 to pictures like the faces."""


@dataclass(frozen=True)
class KnownTake:
    """A recording whose true mouth is known, as the demo's is drawn.

    Attributes:
        faces: (N, 320, 320, 3) uint8 BGR.
        audio: (N, 32, 16, 16) float32, the window of feature vectors around each frame.
        opening: (N,) float32, how far the mouth was really open.
        width: (N,) float32, how wide it really was.
    """

    faces: Pictures
    audio: Vectors
    opening: NDArray[np.float32]
    width: NDArray[np.float32]


@dataclass(frozen=True)
class Quality:
    """What was measured, over all frames of a take.

    Attributes:
        frames: How many.
        unseen: Frames painted without a mouth that could be measured.
        opening: Correlation of painted and true opening.
        width: Correlation of painted and true width.
        psnr_db: Peak signal-to-noise ratio inside the mouth rectangle, mean over frames.
        lowest_psnr_db: The worst frame's.
        lag_frames: By how much the painted opening comes late (early: below 0), as it correlates best.
        silent: Mean opening that silence gives, as a share of the true opening's range.
        shuffled: Correlation of painted and true opening with each frame's sound taken from another frame.
        opened: Mean painted opening, as a share of the mean true one.
    """

    frames: int
    unseen: int
    opening: float
    width: float
    psnr_db: float
    lowest_psnr_db: float
    lag_frames: int
    silent: float
    shuffled: float
    opened: float


def open_known_take(folder: Path) -> KnownTake:
    """Read a dataset folder that ``demo.dataset`` drew, with its ``aud_ave.npy``.

    Raises:
        BadSource: If the folder is not whole.
    """
    footage = open_dataset(folder, "ave")
    faces = np.stack([frame.face for frame in footage.frames])
    truth = np.load(folder / "mouth.npy")
    audio = window_vectors(footage.audio_features, len(faces))
    return KnownTake(faces, audio, truth[:, 0], truth[:, 1])


def window_vectors(features: Vectors, frames: int) -> Vectors:
    """Return the window around each frame of feature vectors (V, 512): (frames, 32, 16, 16) float32.

    Where there are none it holds zeros.
    """
    indices = window_indices(frames, len(features), "zeros")
    padded = np.concatenate([features, np.zeros_like(features[:1])])
    return np.asarray(padded[indices].reshape(-1, *AUDIO_SHAPES["ave"]), np.float32)


def silence(encoder: AudioEncoder, frames: int) -> Vectors:
    """Return the audio of frames in the middle of a long silence: (frames, 32, 16, 16) float32."""
    mel = np.full((1, 1, MEL_BANDS, WINDOW_FRAMES), FLOOR, np.float32)
    window = np.tile(encoder(mel), (AUDIO_WINDOW, 1)).reshape(1, *AUDIO_SHAPES["ave"])
    return np.repeat(window, frames, axis=0)


def paint(network: Network, faces: Pictures, audio: Vectors) -> Iterator[Pictures]:
    """Yield the network's pictures, each 320x320x3 uint8 BGR."""
    for start in range(0, len(faces), BATCH_SIZE):
        part = slice(start, start + BATCH_SIZE)
        yield from network(faces[part], audio[part])


def measure_quality(take: KnownTake, network: Network, encoder: AudioEncoder, seed: int = 0) -> Quality:
    """Paint a take three times, with its own sound, silence and shuffled sound, and measure.

    Args:
        take: Not trained on.
        network: What paints.
        encoder: What ``take.audio`` was made with; also computes the features of silence.
        seed: Of the shuffling.
    """
    count = len(take.faces)
    pictures = list(paint(network, take.faces, take.audio))
    psnr_db = [mouth_psnr(true, painted) for true, painted in zip(take.faces, pictures, strict=True)]
    opening, width, unseen = measure_mouths(pictures)
    silent, _, _ = measure_mouths(paint(network, take.faces, silence(encoder, count)))
    order = np.random.default_rng(seed).permutation(count)
    shuffled, _, _ = measure_mouths(paint(network, take.faces, take.audio[order]))
    return Quality(
        frames=count,
        unseen=unseen,
        opening=correlation(take.opening, opening),
        width=correlation(take.width, width),
        psnr_db=float(np.mean(psnr_db)),
        lowest_psnr_db=min(psnr_db),
        lag_frames=best_lag(take.opening, opening),
        silent=float(silent.mean() / np.ptp(take.opening)),
        shuffled=correlation(take.opening, shuffled),
        opened=float(opening.mean() / take.opening.mean()),
    )


def measure_mouths(pictures: Iterator[Pictures] | list[Pictures]) -> tuple[Vectors, Vectors, int]:
    """Return opening and width in each picture, 0 where no mouth is seen, and how often that is."""
    mouths = [measure_mouth(picture) for picture in pictures]
    opening = np.array([mouth.opening if mouth else 0 for mouth in mouths], np.float32)
    width = np.array([mouth.width if mouth else 0 for mouth in mouths], np.float32)
    return opening, width, mouths.count(None)
