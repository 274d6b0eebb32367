"""export/footage/runs.py"""

import numpy as np
import pytest

from export.footage.runs import find_runs, listed


@pytest.mark.parametrize(
    ("frames", "runs"),
    [
        ([], []),
        ([0, 1], [range(0, 2)]),
        ([9], [range(9, 10)]),
        ([2, 4, 5], [range(2, 3), range(4, 6)]),
        (range(10), [range(0, 10)]),
    ],
)
def test_runs(frames, runs):
    """Runs are the frames in a row whose flag is set."""
    flags = np.zeros(10, bool)
    flags[list(frames)] = True
    assert find_runs(flags) == runs


def test_in_words():
    """A run is told by its ends, a frame on its own by itself; of many the first eight are."""
    assert listed([range(3, 4), range(7, 10)]) == "3, 7-9"
    assert listed([range(index, index + 1) for index in range(0, 16, 2)]) == "0, 2, 4, 6, 8, 10, 12, 14"
    assert listed([range(index, index + 1) for index in range(0, 18, 2)]) == "0, 2, 4, 6, 8, 10, 12, 14, …"
