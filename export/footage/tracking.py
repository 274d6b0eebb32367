"""From the faces in each picture to a steady crop of one: gaps bridged, outliers dropped, trembling smoothed away.

A detector errs by a pixel or so, differently in every frame, and the outline it sees sinks with the jaw. Cut by such
marks, the picture would shake, and shake in time with the speech. What a crop should follow is the head, which moves
slower than the syllables (4 to 7 Hz). The clip lies on disk, so the filter looks both ways and lags behind nothing: a
median over 5 frames drops what a frame or two got wrong, then a quadratic is fitted by least squares to the 15 frames
(0.6 s) around each frame and read at its middle (Savitzky and Golay, 1964). Of a motion at 1 Hz 95 % remain, at 2 Hz
half, from 4 Hz on less than a tenth. It never looks past a cut: on the other side the head is somewhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from export.errors import BadSource
from export.footage.clip import Remark
from export.footage.detect import FaceFinder
from export.footage.people import LONGEST_GAP, Choice, follow_person
from export.footage.runs import find_runs, listed
from export.footage.shots import find_jumps, mark_cuts

__all__ = ["bridge_gaps", "find_faces", "find_gaps", "smooth_marks", "track_face"]

Array = NDArray[np.float64]

MEDIAN_FRAMES = 5
FIT_FRAMES = 15
FIT_DEGREE = 2


def track_face(
    path: Path, pictures: Iterable[NDArray[np.uint8]], finder: FaceFinder
) -> tuple[Array, tuple[Remark, ...]]:
    """Follow one face through a clip, steadily: of several the largest at its beginning.

    Args:
        path: The video, for messages.
        pictures: HxWx3 uint8 BGR each.
        finder: Asked once per picture, in order.

    Returns:
        (N, 3) float64: left x, right x, top y of the crop in pixels. And what is to be said about cuts, people and
        gaps.

    Raises:
        BadSource: If the face is away for more than 5 frames in a row, or there is none.
    """
    faces, cuts = find_faces(pictures, finder, path.name)
    followed = follow_person(faces, cuts)
    starts = sorted({*followed.starts, *find_jumps(followed.marks)})
    gaps = find_gaps(followed.marks)
    whose = " of the person followed" if any(len(faces[frame]) for gap in gaps for frame in gap) else ""
    bridged = bridge_gaps(path, followed.marks, starts, whose)
    remarks = (
        *_cut_remarks(starts),
        *_people_remarks(followed.choices),
        *_gap_remarks(gaps, len(faces), whose),
    )
    return smooth_marks(bridged, starts), remarks


def find_faces(
    pictures: Iterable[NDArray[np.uint8]], finder: FaceFinder, name: str
) -> tuple[list[Array], list[int]]:
    """Find the faces in each picture of a clip, and its cuts.

    Args:
        pictures: HxWx3 uint8 BGR each.
        finder: Asked once per picture, in order.
        name: The clip's, for the progress bar.

    Returns:
        For each picture (K, 3) float64: left x, right x, top y of each face's crop in pixels. And the frames before
        which the picture was cut.
    """
    faces: list[Array] = []
    cuts: list[int] = []
    for picture, is_cut in mark_cuts(
        tqdm(pictures, f"finding the face in {name}", unit="frame", disable=None)
    ):
        if is_cut:
            cuts.append(len(faces))
        faces.append(finder.find(picture, anew=is_cut))
    return faces, cuts


def find_gaps(marks: Array) -> list[range]:
    """Return the runs of frames without a face, in order."""
    return find_runs(np.isnan(marks).any(axis=1))


def bridge_gaps(path: Path, marks: Array, starts: Sequence[int] = (), whose: str = "") -> Array:
    """Fill gaps of up to 5 frames on the straight line between their neighbours; at a shot's end, with the nearest.

    Args:
        path: The video, for messages.
        marks: (N, 3) float64, NaN where no face was found.
        starts: The frames that begin another shot, ascending. A shot without a face takes that of one beside it.
        whose: Put after "a face" and "none" in messages.

    Returns:
        (N, 3) float64 without NaN.

    Raises:
        BadSource: If a gap is longer, or no frame has a face.
    """
    _check_gaps(path, marks, whose)
    seen = ~np.isnan(marks).any(axis=1)
    edges = [0, *starts, len(marks)]
    with_face = [begin for begin, end in pairwise(edges) if seen[begin:end].any()]
    return np.concatenate([_bridge(shot) for shot in np.split(marks, with_face[1:])])


def _bridge(marks: Array) -> Array:
    frames = np.arange(len(marks))
    seen = ~np.isnan(marks).any(axis=1)
    return np.stack([np.interp(frames, frames[seen], column[seen]) for column in marks.T], axis=1)


def _check_gaps(path: Path, marks: Array, whose: str) -> None:
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
            f"none{whose} in {absent} of {count} frames; the first gap that is longer begins at frame "
            f"{too_long[0].start} and lasts {len(too_long[0])}",
        )


def smooth_marks(marks: Array, starts: Sequence[int] = ()) -> Array:
    """Smooth marks over time, without lag, each shot on its own: see the head of this module.

    Args:
        marks: (N, 3) float64 without NaN; N of 1 or more.
        starts: The frames that begin another shot, ascending.

    Returns:
        (N, 3) float64.
    """
    return np.concatenate([_fit(_median(shot)) for shot in np.split(marks, starts)])


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


def _cut_remarks(starts: Sequence[int]) -> Iterator[Remark]:
    if starts:
        count = "a cut, before frame" if len(starts) == 1 else f"{len(starts)} cuts, before frames"
        yield Remark(f"{count} {_listed(starts)}: each shot is smoothed on its own", tuple(starts))


def _people_remarks(choices: Sequence[Choice]) -> Iterator[Remark]:
    first, *later = choices
    if first.faces > 1:
        yield Remark(f"{first.faces} faces in frame {first.frame}: the largest is followed", (first.frame,))
    unsure = [choice.frame for choice in later if choice.faces > 1 or choice.is_elsewhere]
    if unsure:
        where = f"frame{'s' * (len(unsure) > 1)} {_listed(unsure)}"
        yield Remark(
            f"the face followed was chosen anew in {where}, by place and size: is it the same person?",
            tuple(unsure),
        )


def _gap_remarks(gaps: Sequence[range], count: int, whose: str) -> Iterator[Remark]:
    if gaps:
        frames = tuple(chain.from_iterable(gaps))
        yield Remark(f"no face{whose} in {len(frames)} of {count} frames ({listed(gaps)}), bridged", frames)


def _listed(frames: Sequence[int]) -> str:
    return listed([range(frame, frame + 1) for frame in frames])
