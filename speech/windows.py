"""Which feature vectors each frame's window holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speech.contract import AUDIO_WINDOW

__all__ = ["window_indices"]


def window_indices(
    frame_count: int, vector_count: int, edge_padding: str, window: int = AUDIO_WINDOW
) -> NDArray[np.int64]:
    """Return the vectors of each frame's window: (frame_count, window) indices.

    Frame i's window of 16 is the vectors i-8 to i+7, its window of 8 i-4 to i+3. Index ``vector_count`` stands for a
    vector of zeros. Past either end:

    - ``zeros``: zeros, as in training;
    - ``repeat``: the first vector on the left; on the right the last one through the whole window, as one public
      inference program does.

    The backend ``frame_lookup`` has the same rule: it runs in Triton's own process, where this package is not.

    Raises:
        ValueError: If ``edge_padding`` is neither.
    """
    starts = np.arange(frame_count)[:, None] - window // 2
    indices = starts + np.arange(window)
    if edge_padding == "zeros":
        return np.where((indices < 0) | (indices >= vector_count), vector_count, indices)
    if edge_padding == "repeat":
        overruns = starts + window > vector_count
        return np.where(overruns, vector_count - 1, indices.clip(0))
    raise ValueError(f"expected edge_padding zeros or repeat, got {edge_padding!r}")
