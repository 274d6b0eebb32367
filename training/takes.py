"""Dataset folders, checked before training starts: one folder is one take of the same person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.agreement import VECTOR_TOLERANCE
from export.footage.dataset import Dataset
from speech.contract import FPS
from speech.mel import MEL_BANDS, MEL_FRAMES_PER_S, WINDOW_FRAMES, mel_spectrogram, window_count
from speech.wav import read_speech

__all__ = ["LONGEST_GAP_FRAMES", "Take", "open_take"]

LONGEST_GAP_FRAMES = 5
"""So many frames in a row may lack a picture or landmarks: they are left out. More is a broken dataset."""

LARGEST_MISSING_SHARE = 0.1
SHORTEST_FRAMES = 25
COPIES = 2
"""Feature vectors a clip has more than windows: one copy of the first and one of the last."""


@dataclass(frozen=True)
class Take:
    """One recording.

    Attributes:
        dataset: The dataset folder.
        frames: Ids of the frames that have a picture and landmarks, ascending.
        mel: (80, T) float32.
    """

    dataset: Dataset
    frames: tuple[int, ...]
    mel: NDArray[np.float32]

    @property
    def vector_count(self) -> int:
        """How many feature vectors the sound has, as ``aud_ave.npy`` would hold them."""
        return window_count(self.mel.shape[1]) + COPIES


def open_take(folder: Path, say: Callable[[str], object] = print) -> Take:
    """Open a dataset folder: ``full_body_img/<i>.jpg``, ``landmarks/<i>.lms`` and ``aud.wav``.

    Args:
        folder: The folder.
        say: Told which frames are left out.

    Raises:
        BadSource: If a part is missing, the sound is silent, or the counts do not fit.
    """
    dataset = Dataset(folder)
    pictures, landmarks = dataset.find_frames()
    count = max(pictures | landmarks) + 1
    frames = tuple(sorted(pictures & landmarks))
    gaps = _find_gaps(frames, count)
    _check_gaps(folder, gaps, count, len(pictures), len(landmarks))
    mel = mel_spectrogram(read_speech(dataset.sound))
    assert mel.shape[0] == MEL_BANDS
    take = Take(dataset, frames, mel)
    _check_lengths(take, count)
    missing = [frame for gap in gaps for frame in gap]
    if missing:
        say(f"{folder}: {len(missing)} of {count} frames are incomplete and left out ({_listed(missing)})")
    return take


def _find_gaps(frames: Sequence[int], count: int) -> list[range]:
    """Return the runs of frames below ``count`` that are not among the ascending ``frames``."""
    return [range(a + 1, b) for a, b in pairwise([-1, *frames, count]) if b - a > 1]


def _check_gaps(folder: Path, gaps: Sequence[range], count: int, pictures: int, landmarks: int) -> None:
    missing = sum(map(len, gaps))
    longest = max(gaps, key=len, default=range(0))
    if len(longest) > LONGEST_GAP_FRAMES or missing > LARGEST_MISSING_SHARE * count:
        raise BadSource(
            folder,
            f"a picture and landmarks for each of {count} frames (gaps of up to {LONGEST_GAP_FRAMES} are left out)",
            f"{pictures} pictures, {landmarks} landmark files and {missing} incomplete frames, "
            f"{len(longest)} of them in a row from {longest[0]} on",
        )


def _check_lengths(take: Take, count: int) -> None:
    if count < SHORTEST_FRAMES or take.mel.shape[1] < WINDOW_FRAMES:
        seconds = take.mel.shape[1] / MEL_FRAMES_PER_S
        raise BadSource(
            take.dataset.folder,
            f"at least {SHORTEST_FRAMES} frames",
            f"{count} frames and {seconds:.1f} s of sound",
        )
    if abs(take.vector_count - count) > VECTOR_TOLERANCE:
        raise BadSource(
            take.dataset.sound,
            f"sound for {count} frames ({count / FPS:.1f} s, give or take {VECTOR_TOLERANCE} frames)",
            f"sound for {take.vector_count} frames",
        )


def _listed(numbers: Sequence[int], most: int = 6) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown}, …"
