"""Which feature vectors each frame's window holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speech.contract import AUDIO_WINDOW

__all__ = ["window_indices"]


def window_indices(frame_count: int, vector_count: int, edge_padding: str) -> NDArray[np.int64]:
    """Return the vectors of each frame's window: (frame_count, 16) indices.

    Frame i's window is the vectors i-8 to i+7. Index ``vector_count`` stands for a vector of zeros. Past either end:

    - ``zeros``: zeros, as in training;
    - ``repeat``: the first vector on the left; on the right the last one through the whole window, as one public
      inference program does.

    The backend ``frame_lookup`` has the same rule: it runs in Triton's own process, where this package is not.

    Raises:
        ValueError: If ``edge_padding`` is neither.
    """
    starts = np.arange(frame_count)[:, None] - AUDIO_WINDOW // 2
    indices = starts + np.arange(AUDIO_WINDOW)
    if edge_padding == "zeros":
        return np.where((indices < 0) | (indices >= vector_count), vector_count, indices)
    if edge_padding == "repeat":
        overruns = starts + AUDIO_WINDOW > vector_count
        return np.where(overruns, vector_count - 1, indices.clip(0))
    raise ValueError(f"expected edge_padding zeros or repeat, got {edge_padding!r}")
