"""export/footage/coordinates.py; what a pickle may name is tested with LiveTalking's avatars."""

import pickle

import pytest

from export.bounds import COORDINATES_BYTES, FRAMES
from export.errors import BadSource
from export.footage.coordinates import read_coordinates


def refusal(path):
    with pytest.raises(BadSource) as caught:
        read_coordinates(path)
    return str(caught.value).removeprefix(f"{path}: expected ")


def test_coordinates(tmp_path):
    """Four whole numbers a frame come back."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(pickle.dumps([(1, 2, 3, 4), [5, 6, 7, 8]]))
    assert read_coordinates(path).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_too_many(tmp_path):
    """A file that is too large, one crop too many, and a few bytes that mean millions of crops are refused."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(bytes(COORDINATES_BYTES + 1))
    assert refusal(path).startswith("a file of up to 16 MiB")
    same = (1, 2, 3, 4)
    path.write_bytes(pickle.dumps([same] * (FRAMES + 1)))
    assert refusal(path) == f"up to {FRAMES} crops, got {FRAMES + 1}"


@pytest.mark.parametrize("number", [1e300, 2**31, -(2**63), 10**30])
def test_numbers_past_32_bits(tmp_path, number):
    """A number that 32 bits cannot hold is refused."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(pickle.dumps([(0, 0, 1, number)]))
    assert refusal(path).startswith("a pickled list of (x1, y1, x2, y2), one for each frame, got ")
