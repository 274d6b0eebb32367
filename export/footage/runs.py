"""Frames in a row: which they are, and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["find_runs", "listed"]

MOST_LISTED = 8


def find_runs(flags: NDArray[np.bool_]) -> list[range]:
    """Return the runs of frames whose flag is set, (N,) bool, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    return [range(first, end) for first, end in edges.reshape(-1, 2).tolist()]


def listed(runs: Sequence[range]) -> str:
    """Return ``3, 7-9, …``: the first eight runs in words."""
    shown = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:MOST_LISTED]]
    return ", ".join([*shown, "…"] if len(runs) > len(shown) else shown)
