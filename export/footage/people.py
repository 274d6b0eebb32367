"""Which of the faces in a clip is followed: the person it began with, as far as places and sizes tell.

Within a shot a face is the one before if it lies near it, is about as large, and nobody else was nearer. After a cut
nothing is sure: the face most like the last in place and size is taken. So it is where the person vanishes for good
while somebody appears where nobody was: in a dissolve, or where an editor kept the room and let the person jump.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGEST_GAP", "Choice", "Followed", "follow_person"]

LONGEST_GAP = 5
"""Frames in a row, 0.2 s, without the face that are bridged: a head has not gone far."""

REACH = 1.0  # widths of a face within which it is looked for in the next frame; heads go half as far
REACH_PER_ABSENCE = 0.1  # added for each frame in which it was not seen
LARGEST_RATIO = 1.6  # of a width to the one before
LONGEST_DISSOLVE = 25  # frames for which the new picture may show before the old one is gone

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """Where a face was chosen, not followed.

    Attributes:
        frame: In which frame.
        faces: How many faces it showed.
        is_elsewhere: Whether the one chosen is not where the one followed was last; False of the first choice.
    """

    frame: int
    faces: int
    is_elsewhere: bool


@dataclass(frozen=True)
class Followed:
    """One face through a clip.

    Attributes:
        marks: (N, 3) float64: left x, right x, top y of its crop; NaN where it was not seen.
        starts: The frames before which the picture was cut, or another face began to stand in; ascending.
        choices: In order of their frames.
    """

    marks: Array
    starts: tuple[int, ...]
    choices: tuple[Choice, ...]


def follow_person(faces: Sequence[Array], cuts: Collection[int]) -> Followed:
    """Follow the person whose face is the largest in the first frame that shows one.

    Args:
        faces: For each frame (K, 3) float64: left x, right x, top y of each face's crop.
        cuts: The frames before which the picture was cut.
    """
    marks = np.full((len(faces), 3), np.nan)
    starts, choices = set(cuts), []
    last: Array | None = None
    for begin, end in _spans(cuts, len(faces)):
        frame: int | None = next((index for index in range(begin, end) if len(faces[index])), None)
        candidates = np.empty((0, 3)) if frame is None else faces[frame]
        while frame is not None:
            face = _largest(candidates) if last is None else _most_like(candidates, last)
            choices.append(
                Choice(frame, len(faces[frame]), last is not None and not _are_same(face[None], last).any())
            )
            track, candidates = _follow(faces[frame:end], face)
            marks[frame : frame + len(track)] = track
            last = track[~np.isnan(track).any(axis=1)][-1]
            frame = frame + len(track) if len(candidates) else None
            if frame is not None:
                starts.add(frame)
    return Followed(marks, tuple(sorted(starts)), tuple(choices))


def _spans(cuts: Collection[int], count: int) -> list[tuple[int, int]]:
    edges = [0, *sorted(cuts), count]
    return list(pairwise(edges))


def _follow(faces: Sequence[Array], first: Array) -> tuple[Array, Array]:
    """Follow one face through a shot.

    Args:
        faces: Each frame's.
        first: (3,) float64: the face among the first frame's.

    Returns:
        Its marks, (M, 3) float64 with NaN where it was not seen, up to the shot's end or to where it vanishes while
        others appear; and these others in the frame after, (K, 3) float64: none at the shot's end.
    """
    marks = np.full((len(faces), 3), np.nan)
    others: list[Array] = []
    last, seen_at = first, 0
    for frame, seen in enumerate(faces):
        same = _are_same(seen, last, frame - seen_at)
        if frame:
            same &= _are_nearer(seen, last, others[-1])
        others.append(seen)
        if same.any():
            last, seen_at = _nearest(seen[same], last), frame
            marks[frame] = last
            others[frame] = seen[(seen != last).any(axis=1)]
        elif frame - seen_at == LONGEST_GAP + 1:
            earlier = np.concatenate(others[: max(1, seen_at + 1 - LONGEST_DISSOLVE)])
            for left in range(seen_at + 1, frame + 1):
                new = _newcomers(faces[left], earlier, seen)
                if len(new):
                    return marks[:left], new
    return marks, np.empty((0, 3))


def _newcomers(faces: Array, earlier: Array, later: Array) -> Array:
    """Return those of the faces that are near none of the earlier ones, and near one of the later ones."""
    away = LONGEST_GAP + 1
    return np.array(
        [f for f in faces if not _are_same(earlier, f, away).any() and _are_same(later, f, away).any()],
        np.float64,
    ).reshape(-1, 3)


def _are_same(faces: Array, last: Array, frames: int = 1) -> NDArray[np.bool_]:
    """Return for each face whether it can be the last one, so many frames later."""
    reach = REACH + REACH_PER_ABSENCE * max(0, frames - 1)
    ratios = _widths(faces) / _widths(last)
    is_near = _distances(faces, last) <= reach
    return np.asarray(is_near & (ratios < LARGEST_RATIO) & (ratios > 1 / LARGEST_RATIO))


def _are_nearer(faces: Array, last: Array, others: Array) -> NDArray[np.bool_]:
    """Return for each face whether the last one was nearer to it than all others were."""
    ways = [_distances(faces, face) * _widths(face) for face in (last, *others)]
    return np.asarray(ways[0] <= np.min(ways, axis=0))


def _largest(faces: Array) -> Array:
    return np.asarray(faces[np.argmax(_widths(faces))])


def _nearest(faces: Array, last: Array) -> Array:
    return np.asarray(faces[np.argmin(_distances(faces, last))])


def _most_like(faces: Array, last: Array) -> Array:
    unlikeness = _distances(faces, last) + np.abs(np.log2(_widths(faces) / _widths(last)))
    return np.asarray(faces[np.argmin(unlikeness)])


def _widths(marks: Array) -> Array:
    return np.asarray(np.maximum(marks[..., 1] - marks[..., 0], 1.0))


def _distances(faces: Array, last: Array) -> Array:
    """Return how far each face is from the last one, in widths of that."""
    places = np.stack([faces[:, :2].mean(axis=1), faces[:, 2]], axis=1)
    return np.asarray(np.linalg.norm(places - [last[:2].mean(), last[2]], axis=1) / _widths(last))
