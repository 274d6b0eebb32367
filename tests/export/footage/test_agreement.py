"""export/footage/agreement.py"""

from pathlib import Path

import numpy as np
import pytest

from export.errors import BadSource
from export.footage.agreement import check_lengths, check_rate

CLIP = Path("May")


def refusal(*arguments, remedy=False):
    with pytest.raises(BadSource) as caught:
        check_lengths(CLIP, *arguments, remedy)
    start = "May: expected pictures, feature vectors (one a picture) and sound of one length, got "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


@pytest.mark.parametrize(
    ("frames", "fps", "vectors", "sound_s"),
    [
        (523, 25, 522, 20.92),
        (523, 25, 518, 0),
        (523, 25, 528, 20.7),
        (160, 20, 160, 8.0),
        (6, 25, 5, 0.3),
        (9000, 25, 9000, 360.9),
    ],
)
def test_one_clip(frames, fps, vectors, sound_s):
    """Ends that differ by what recordings' do are taken: 5 vectors, a quarter of a second, up to a second in all."""
    check_lengths(CLIP, frames, fps, vectors, int(sound_s * 16_000))


@pytest.mark.parametrize("vectors", [517, 529])
def test_features_of_another_clip(vectors):
    """More than 5 vectors too few or too many mean another clip; the sentence has all three lengths."""
    expected = f"523 pictures (20.92 s at 25 a second), {vectors} feature vectors and 20.92 s of sound"
    assert refusal(523, 25, vectors, 523 * 640) == expected
    assert refusal(523, 25, vectors, 0).endswith(f"{vectors} feature vectors and no sound")


@pytest.mark.parametrize(("fps", "right"), [(25, 20), (20, 25), (25, 24), (25, 30), (24, 25)])
def test_another_rate(fps, right):
    """Pictures of another rate than is assumed are refused, with the rate that makes them as long as the sound."""
    frames = 60 * right
    got = refusal(frames, fps, frames, 60 * 16_000, remedy=True)
    assert got.endswith(f"60.00 s of sound (for {right} pictures a second: --fps {right})")
    assert "--fps" not in refusal(frames, fps, frames, 60 * 16_000)


def test_no_rate_fits():
    """Where no rate from 1 to 60 fits, none is proposed."""
    assert refusal(100, 25, 100, 16_000, remedy=True).endswith("1.00 s of sound")


@pytest.mark.parametrize("fps", [1, 12.5, 25, 29.97, 60])
def test_rates(fps):
    """Rates from 1 to 60 are served."""
    check_rate(CLIP, fps)


@pytest.mark.parametrize(("fps", "got"), [(0.5, "0.5"), (61, "61"), (np.nan, "nan"), (np.inf, "inf")])
def test_other_rates(fps, got):
    """Others are refused."""
    with pytest.raises(BadSource) as caught:
        check_rate(CLIP, fps)
    assert str(caught.value) == f"May: expected 1 to 60 pictures a second, got {got}"
