"""From one face per picture to a steady crop: gaps bridged, outliers dropped, trembling smoothed away.

A detector errs by a pixel or so, differently in every frame, and the outline it sees sinks with the jaw. Cut by such
marks, the picture would shake, and shake in time with the speech. What a crop should follow is the head, which moves
slower than the syllables (4 to 7 Hz). The clip lies on disk, so the filter looks both ways and lags behind nothing: a
median over 5 frames drops what a frame or two got wrong, then a quadratic is fitted by least squares to the 15 frames
(0.6 s) around each frame and read at its middle (Savitzky and Golay, 1964). Of a motion at 1 Hz 95 % remain, at 2 Hz
half, from 4 Hz on less than a tenth.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.errors import BadSource
from export.footage.detect import FaceFinder

__all__ = ["LONGEST_GAP", "bridge_gaps", "find_gaps", "find_marks", "smooth_marks"]

Array = NDArray[np.float64]

LONGEST_GAP = 5
"""Frames in a row, 0.2 s, without a face that are bridged: a head has not gone far."""

MEDIAN_FRAMES = 5
FIT_FRAMES = 15
FIT_DEGREE = 2


def find_marks(pictures: Iterable[NDArray[np.uint8]], finder: FaceFinder, name: str) -> Array:
    """Find the face in each picture of a clip.

    Args:
        pictures: HxWx3 uint8 BGR each.
        finder: Asked once per picture, in order.
        name: The clip's, for the progress bar.

    Returns:
        (N, 3) float64: left x, right x, top y of the crop in pixels; NaN where no face was found.
    """
    nothing = np.full(3, np.nan)
    marks = []
    for picture in tqdm(pictures, f"finding the face in {name}", unit="frame", disable=None):
        found = finder.find(picture)
        marks.append(nothing if found is None else found)
    return np.array(marks, np.float64).reshape(-1, 3)


def find_gaps(marks: Array) -> list[range]:
    """Return the runs of frames without a face, in order."""
    absent = np.isnan(marks).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], absent, [False]])))
    return [range(first, end) for first, end in edges.reshape(-1, 2).tolist()]


def bridge_gaps(path: Path, marks: Array) -> Array:
    """Fill gaps of up to 5 frames on the straight line between their neighbours; at an end, with the nearest frame's.

    Args:
        path: The video, for messages.
        marks: (N, 3) float64, NaN where no face was found.

    Returns:
        (N, 3) float64 without NaN.

    Raises:
        BadSource: If a gap is longer, or no frame has a face.
    """
    gaps = find_gaps(marks)
    count = len(marks)
    absent = sum(map(len, gaps))
    if absent == count:
        raise BadSource(path, "a face", f"none in any of {count} frames")
    too_long = [gap for gap in gaps if len(gap) > LONGEST_GAP]
    if too_long:
        raise BadSource(
            path,
            f"a face in every frame, but for gaps of up to {LONGEST_GAP}",
            f"none in {absent} of {count} frames; the first gap that is longer begins at frame {too_long[0].start} "
            f"and lasts {len(too_long[0])}",
        )
    frames = np.arange(count)
    seen = ~np.isnan(marks).any(axis=1)
    return np.stack([np.interp(frames, frames[seen], column[seen]) for column in marks.T], axis=1)


def smooth_marks(marks: Array) -> Array:
    """Smooth marks over time, without lag: see the head of this module.

    Args:
        marks: (N, 3) float64 without NaN; N of 1 or more.

    Returns:
        (N, 3) float64.
    """
    return _fit(_median(marks))


def _median(marks: Array) -> Array:
    half = MEDIAN_FRAMES // 2
    padded = np.pad(marks, ((half, half), (0, 0)), mode="reflect")  # repeating an end would trust it
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_FRAMES, axis=0)  # (N, 3, 5)
    return np.asarray(np.median(windows, axis=-1), np.float64)


def _fit(marks: Array) -> Array:
    """Read, at each frame, the quadratic fitted to the 15 frames around it; near an end, to the last 15 there are."""
    count = len(marks)
    length = min(FIT_FRAMES, count)
    degree = min(FIT_DEGREE, length - 1)
    powers = np.vander(np.linspace(-1, 1, length) if length > 1 else np.zeros(1), degree + 1)
    projection = powers @ np.linalg.pinv(powers)  # (length, length): row i gives the fit's value at frame i
    first = np.clip(np.arange(count) - length // 2, 0, count - length)
    windows = np.lib.stride_tricks.sliding_window_view(marks, length, axis=0)[first]  # (N, 3, length)
    return np.asarray(np.einsum("nl,nkl->nk", projection[np.arange(count) - first], windows), np.float64)
