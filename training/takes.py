"""Dataset folders, checked before training starts: one folder is one take of the same person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.feature_files import COUNT_TOLERANCE
from speech.mel import MEL_BANDS, WINDOW_FRAMES, mel_spectrogram, window_count
from speech.wav import read_speech

__all__ = ["LONGEST_GAP_FRAMES", "Take", "open_take"]

PICTURES, LANDMARKS, SOUND = "full_body_img", "landmarks", "aud.wav"

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
        folder: The dataset folder.
        frames: Ids of the frames that have a picture and landmarks, ascending.
        mel: (80, T) float32.
    """

    folder: Path
    frames: tuple[int, ...]
    mel: NDArray[np.float32]

    def picture(self, frame: int) -> Path:
        """Return where a frame's full picture lies."""
        return self.folder / PICTURES / f"{frame}.jpg"

    def landmarks(self, frame: int) -> Path:
        """Return where a frame's landmarks lie."""
        return self.folder / LANDMARKS / f"{frame}.lms"

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
    pictures = _numbers(folder / PICTURES, ".jpg")
    landmarks = _numbers(folder / LANDMARKS, ".lms")
    count = max(pictures | landmarks) + 1
    missing = sorted(set(range(count)) - (pictures & landmarks))
    _check_gaps(folder, missing, count, len(pictures), len(landmarks))
    mel = mel_spectrogram(read_speech(folder / SOUND))
    assert mel.shape[0] == MEL_BANDS
    take = Take(folder, tuple(sorted(pictures & landmarks)), mel)
    _check_lengths(take, count)
    if missing:
        say(f"{folder}: {len(missing)} of {count} frames are incomplete and left out ({_listed(missing)})")
    return take


def _numbers(folder: Path, suffix: str) -> set[int]:
    numbers = {int(file.stem) for file in folder.glob(f"*{suffix}") if file.stem.isdigit()}
    if not numbers:
        got = "none" if folder.is_dir() else "nothing there"
        raise BadSource(folder, f"files 0{suffix}, 1{suffix}, …", got)
    return numbers


def _check_gaps(folder: Path, missing: Sequence[int], count: int, pictures: int, landmarks: int) -> None:
    gaps = [
        [number for _, number in gap]
        for _, gap in groupby(enumerate(missing), lambda pair: pair[1] - pair[0])
    ]
    longest = max(gaps, key=len, default=[])
    if len(longest) > LONGEST_GAP_FRAMES or len(missing) > LARGEST_MISSING_SHARE * count:
        raise BadSource(
            folder,
            f"a picture and landmarks for each of {count} frames (gaps of up to {LONGEST_GAP_FRAMES} are left out)",
            f"{pictures} pictures, {landmarks} landmark files and {len(missing)} incomplete frames, "
            f"{len(longest)} of them in a row from {longest[0]} on",
        )


def _check_lengths(take: Take, count: int) -> None:
    if count < SHORTEST_FRAMES or take.mel.shape[1] < WINDOW_FRAMES:
        seconds = take.mel.shape[1] / 80
        raise BadSource(
            take.folder, f"at least {SHORTEST_FRAMES} frames", f"{count} frames and {seconds:.1f} s of sound"
        )
    if abs(take.vector_count - count) > COUNT_TOLERANCE:
        raise BadSource(
            take.folder / SOUND,
            f"sound for {count} frames ({count / 25:.1f} s, give or take {COUNT_TOLERANCE} frames)",
            f"sound for {take.vector_count} frames",
        )


def _listed(numbers: Sequence[int], most: int = 6) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return shown if len(numbers) <= most else f"{shown}, …"
