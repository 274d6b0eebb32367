"""export/footage/coordinates.py"""

import os
import pickle

import numpy as np
import pytest

from export.bounds import COORDINATES_BYTES, FRAMES
from export.errors import BadSource
from export.footage.coordinates import read_coordinates

SQUARES = [(40 + index, 30, 200 + index, 190) for index in range(6)]


def refusal(path):
    with pytest.raises(BadSource) as caught:
        read_coordinates(path)
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("number", [int, float, np.int32, np.int64, np.float32])
def test_coordinates(tmp_path, protocol, number):
    """Plain and NumPy numbers of any pickle protocol are read."""
    content = [[number(value) for value in square] for square in SQUARES]
    (tmp_path / "coords.pkl").write_bytes(pickle.dumps(content, protocol))
    squares = read_coordinates(tmp_path / "coords.pkl")
    assert squares.dtype == np.int32
    np.testing.assert_array_equal(squares, SQUARES)


class Code:
    """Unpickling it would make a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("wrap", [lambda code: code, lambda code: [(1, 2, 3, code)], lambda code: {code: 1}])
def test_a_pickle_runs_nothing(tmp_path, wrap):
    """A pickle that calls a function is refused by its name, and nothing was run."""
    made = tmp_path / "made by the pickle"
    path = tmp_path / "coords.pkl"
    path.write_bytes(pickle.dumps(wrap(Code(made))))
    assert refusal(path) == (
        f"{path}: expected a pickled list of (x1, y1, x2, y2), one for each frame, "
        f"got one that calls Python code ({os.mkdir.__module__}.mkdir)"
    )
    assert not made.exists()


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "bytes that are none (EOFError)"),
        (pickle.dumps([]), "an array of shape (0,)"),
        (
            b"\x80\x02]r\xff\xff\xff\xff.",
            "an array of shape (0,)",
        ),  # remembered as the four-thousand-millionth object
        (pickle.dumps([list(range(100_000))] * 90_000), "bytes that are none (ValueError)"),
        (pickle.dumps([(1, 2, 3)]), "an array of shape (1, 3)"),
        (pickle.dumps([(1, 2, 3, 1 << 40)]), "numbers of more than 32 bits"),
        (pickle.dumps([(1, 2, 3, "x")]), "bytes that are none (ValueError)"),
        (
            pickle.dumps([(1, 2, 3, np.arange(3))]),
            "one that calls Python code (numpy.core.multiarray._reconstruct)",
        ),
        (pickle.dumps(np.complex64(1)), "one that calls Python code (numpy.dtype 'c8')"),
    ],
)
def test_other_coordinates(tmp_path, content, got):
    """What is no list of four numbers is refused for what it is."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(content)
    said = refusal(path).partition(", got ")[2]
    assert said.replace("numpy._core", "numpy.core") == got


def test_damaged_bytes_raise_nothing_else(tmp_path):
    """Whatever bytes are damaged, the answer is coordinates or a BadSource."""
    path, rng = tmp_path / "coords.pkl", np.random.default_rng(2)
    whole = pickle.dumps([tuple(np.array(square, np.int64)) for square in SQUARES])
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(damaged))] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            assert read_coordinates(path).shape[1] == 4
        except BadSource:
            continue


def test_too_many(tmp_path):
    """A file that is too large, one crop too many, and a few bytes that mean millions of crops are refused."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(bytes(COORDINATES_BYTES + 1))
    assert refusal(path).removeprefix(f"{path}: expected ").startswith("a file of up to 16 MiB")
    same = (1, 2, 3, 4)
    path.write_bytes(pickle.dumps([same] * (FRAMES + 1)))
    assert refusal(path).removeprefix(f"{path}: expected ") == f"up to {FRAMES} crops, got {FRAMES + 1}"


@pytest.mark.parametrize("number", [1e300, 2**31, -(2**63), 10**30])
def test_numbers_past_32_bits(tmp_path, number):
    """A number that 32 bits cannot hold is refused."""
    path = tmp_path / "coords.pkl"
    path.write_bytes(pickle.dumps([(0, 0, 1, number)]))
    assert (
        refusal(path)
        .removeprefix(f"{path}: expected ")
        .startswith("a pickled list of (x1, y1, x2, y2), one for each frame, got ")
    )
