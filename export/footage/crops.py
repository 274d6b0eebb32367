"""What the crops of a clip say about themselves: whether they leave the picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from export.footage.clip import Remark
from export.footage.runs import find_runs, listed

__all__ = ["crop_remarks"]


def crop_remarks(bounds: NDArray[np.int32]) -> Iterator[Remark]:
    """Yield a remark if crops are not square: what lay past the picture's edge was cut off.

    How far is the difference of the sides. Past two edges of a corner the crop reaches further than that.

    Args:
        bounds: (N, 4) int32: x1, y1, x2, y2 of each frame's crop, clipped to the picture.
    """
    sides = bounds[:, 2:] - bounds[:, :2]
    missing = np.abs(sides[:, 0] - sides[:, 1])
    frames = np.flatnonzero(missing)
    if len(frames):
        yield Remark(
            f"the crop leaves the picture in {len(frames)} of {len(bounds)} frames ({listed(find_runs(missing > 0))}), "
            f"by up to {missing.max()} pixels, and is cut off there: the face in it is stretched",
            tuple(frames.tolist()),
        )
