"""export/network/finite.py"""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.errors import BadCheckpoint, BadModel
from export.network.finite import check_finite, check_finite_model

PATH = Path("195.pth")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_the_first_entry_is_named(dtype, odd):
    """Of several entries that hold NaN or infinity the first is named, with how many it holds."""
    whole, one, two = np.ones((3, 2), dtype), np.ones(4, dtype), np.ones((2, 2), dtype)
    one[1], two[:] = odd, odd
    with pytest.raises(BadCheckpoint) as caught:
        check_finite(PATH, [("whole", whole), ("one", one), ("two", two)], BadCheckpoint)
    assert str(caught.value) == "195.pth: expected finite weights, got 1 of 4 NaN or infinite in one"


def test_numbers_pass():
    """Finite floats pass, and whole numbers are not asked."""
    check_finite(PATH, [("a", np.ones(3, np.float32)), ("b", np.ones(3, np.int64))], BadCheckpoint)


def test_a_graph():
    """An ONNX graph is refused by the name of its tensor."""
    values = numpy_helper.from_array(np.array([1, np.nan], np.float32), "conv.weight")
    with pytest.raises(BadModel) as caught:
        check_finite_model(PATH, onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [values])))
    assert str(caught.value) == "195.pth: expected finite weights, got 1 of 2 NaN or infinite in conv.weight"
