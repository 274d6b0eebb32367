"""Where one shot of a clip ends and the next begins: from the pictures, and from the face that is followed.

Two pictures are of one shot if one looks like the other, moved by up to a seventh of its size. What is compared is
small, grey, without what is coarser than a twelfth of the picture, and evened out in contrast, so that light, exposure,
noise and compression change little; the move lets fast pans pass. Of pictures from 25th to 25th of a second the
correlation stays above 0.55 for a head that turns, a pan by 16 % of the width or a zoom by 10 %; over a cut it is below
0.45: tried with photographs and the demo, moved, lit and cut. What is taken back within 5 frames, a flash or a hand
before the lens, is no cut.

An editor who takes out a pause leaves the room as it was, and only the person jumps: such a cut is found from the face.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGEST_INTERRUPTION", "find_jumps", "mark_cuts"]

LONGEST_INTERRUPTION = 5
"""Frames in a row that may show anything, if the shot goes on after them."""

LOOK_SIZE = 64  # pixels of the longer side
FINEST, COARSEST = 0.8, 6.0  # of what is compared: standard deviations in these pixels
FAINTEST = 4.0  # contrast in grey levels that is evened out no further, being noise
EVEN = 0.15  # deviation below which a look shows nothing but grain
LARGEST_MOVE = 0.15  # of the picture's size
SMALLEST_LIKENESS = 0.5

SMALLEST_JUMP = 0.2  # in widths of the face, from one frame to the next: twice what a fast nod makes
JUMP_OVER_MOTION = 3.0  # how many times the motion in the frames around it
FRAMES_AROUND = 6  # of a webcam at 5 pictures a second, some hold a new one

Array = NDArray[np.float64]
Picture = NDArray[np.uint8]
Look = NDArray[np.float32]


def mark_cuts(pictures: Iterable[Picture]) -> Iterator[tuple[Picture, bool]]:
    """Yield each picture, HxWx3 uint8 BGR, and whether a cut lies between it and the one before.

    It reads 5 pictures ahead.
    """
    before: deque[Look] = deque(maxlen=LONGEST_INTERRUPTION + 1)
    ahead: deque[tuple[Picture, Look]] = deque()
    for picture in pictures:
        ahead.append((picture, _look(picture)))
        if len(ahead) > LONGEST_INTERRUPTION:
            yield _next(before, ahead)
    while ahead:
        yield _next(before, ahead)


def find_jumps(marks: Array) -> list[int]:
    """Return the frames before which the face jumps, as no head moves: far, at once, and to stay.

    Args:
        marks: (N, 3) float64: left x, right x, top y of the face; NaN where there is none, over which nothing is said.
    """
    places = np.stack([marks[:, :2].mean(axis=1), marks[:, 2], marks[:, 1] - marks[:, 0]], axis=1)
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)  # (N - 1,): NaN beside a gap
    far = np.flatnonzero(steps > SMALLEST_JUMP * np.minimum(places[1:, 2], places[:-1, 2]))
    return [step + 1 for step in far.tolist() if steps[step] > JUMP_OVER_MOTION * _motion_around(steps, step)]


def _motion_around(steps: Array, step: int) -> float:
    """Return the largest of the steps before and after one; the way back of what does not stay is among them."""
    around = [*steps[max(0, step - FRAMES_AROUND) : step], *steps[step + 1 : step + 1 + FRAMES_AROUND]]
    return float(np.nanmax([0.0, *around]))


def _next(before: deque[Look], ahead: deque[tuple[Picture, Look]]) -> tuple[Picture, bool]:
    is_cut = bool(before) and not _goes_on(before, [look for _, look in ahead])
    picture, look = ahead.popleft()
    before.append(look)
    return picture, is_cut


def _goes_on(before: Sequence[Look], after: Sequence[Look]) -> bool:
    """Return whether any of the pictures after is like one before it, at most 5 others lying between them."""
    pairs = product(range(len(before)), range(len(after)))
    near = sorted((pair for pair in pairs if sum(pair) <= LONGEST_INTERRUPTION), key=sum)
    return any(_likeness(before[-1 - back], after[on]) >= SMALLEST_LIKENESS for back, on in near)


def _look(picture: Picture) -> Look:
    """Return what a picture looks like, small and evened out: see the head of this module."""
    height, width = picture.shape[:2]
    scale = LOOK_SIZE / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), size, interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    detail = cv2.GaussianBlur(small, (0, 0), FINEST) - cv2.GaussianBlur(small, (0, 0), COARSEST)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), COARSEST))
    return np.asarray(detail / (contrast + FAINTEST), np.float32)


def _likeness(one: Look, other: Look) -> float:
    """Return the correlation of one's middle with the other, moved as fits best; 1 of two even ones."""
    if one.shape != other.shape:
        return 0.0
    is_even = [look.std() < EVEN for look in (one, other)]
    if any(is_even):
        return float(all(is_even))
    height, width = one.shape
    y, x = round(height * LARGEST_MOVE), round(width * LARGEST_MOVE)
    middle = one[y : height - y, x : width - x]
    return float(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max())
