"""bridge/live/clip.py"""

import itertools

import pytest

from bridge.live.clip import frame_at


def test_forth_and_back():
    """A clip of four frames is shown 0 1 2 3 2 1 0 1 …: no frame twice in a row, no jump."""
    assert [frame_at(number, 4) for number in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]


@pytest.mark.parametrize("frame_count", [1, 2, 3, 555])
def test_it_never_jumps(frame_count):
    """From one picture to the next the frame changes by one, where there is more than one."""
    frames = [frame_at(number, frame_count) for number in range(3 * frame_count)]
    assert set(frames) == set(range(frame_count))
    steps = {abs(after - before) for before, after in itertools.pairwise(frames)}
    assert steps <= {min(1, frame_count - 1)}
