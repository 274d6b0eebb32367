"""speech/windows.py and speech/contract.py: the rule and numbers that the backends repeat."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from backends.frame_lookup import frames
from speech.contract import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from speech.windows import window_indices

STATIC = Path(__file__).parents[2] / "bridge" / "static"


@pytest.mark.parametrize("edge_padding", ["zeros", "repeat"])
@pytest.mark.parametrize("window", [16, 8])
@pytest.mark.parametrize(("frame_count", "vector_count"), [(1, 1), (5, 5), (40, 38), (38, 41), (3, 30)])
def test_the_backend_has_the_same_rule(edge_padding, frame_count, vector_count, window):
    """``frame_lookup``, which cannot import this package, picks the same vectors, whatever the counts."""
    here = window_indices(frame_count, vector_count, edge_padding, window)
    there = frames.window_indices(frame_count, vector_count, edge_padding, window)
    np.testing.assert_array_equal(here, there)


def test_window_of_a_frame():
    """Frame 8 of a long clip hears vectors 0 to 15; frame 0 has eight zeros (index N) before its own."""
    indices = window_indices(100, 100, "zeros")
    assert indices[8].tolist() == list(range(16))
    assert indices[0].tolist() == [100] * 8 + list(range(8))
    assert window_indices(100, 100, "repeat")[0].tolist() == [0] * 8 + list(range(8))
    assert window_indices(100, 100, "repeat")[93].tolist() == [99] * 16


def test_an_unknown_padding_is_refused():
    """The error names what there is and what came."""
    with pytest.raises(ValueError, match="expected edge_padding zeros or repeat, got 'mirror'"):
        window_indices(3, 3, "mirror")


def test_the_numbers_fit_one_another():
    """A frame is 40 ms of samples, and the page's player has the same rate."""
    assert SAMPLES_PER_FRAME == SAMPLE_RATE_HZ / FPS == 640
    (rate,) = re.findall(r"const SAMPLE_RATE_HZ = ([0-9_]+);", (STATIC / "sound.js").read_text())
    assert json.loads(rate.replace("_", "")) == SAMPLE_RATE_HZ
