"""export/network/verify.py"""

import re

import numpy as np
import onnx
import pytest
import torch

from export.errors import VerificationFailed
from export.network.verify import TOLERANCES, Agreement, example_inputs, reference, verify
from tests.export.conftest import network_input
from tests.vectors import inputs


def shift_output(model, amount):
    """Add a constant to what the last convolution gives."""
    bias = next(array for array in model.graph.initializer if list(array.dims) == [3])
    bias.CopyFrom(
        onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(amount), bias.name)
    )
    return model


def test_a_true_export_passes(served, network):
    """Batch 1 and the maximum, 16, are compared, and both lie within the tolerance."""
    agreements = verify(served(), network())
    assert [agreement.batch_size for agreement in agreements] == [1, 16]
    for agreement in agreements:
        assert 0 < agreement.difference < 1e-4 == agreement.tolerance
        assert agreement.levels <= 1


def test_a_perturbed_export_fails(served, network):
    """An export whose logits are off by 0.001 fails, with the difference (at most a quarter of it) and tolerance."""
    with pytest.raises(VerificationFailed) as caught:
        verify(shift_output(served(), 1e-3), network())
    found = re.fullmatch(
        r"the export differs from PyTorch: batch  1: greatest difference (\d\.\d\de-\d\d) "
        r"\(tolerance 1e-04\), pictures within (\d) of 255",
        str(caught.value),
    )
    assert found
    assert 1e-4 < float(found[1]) < 2.6e-4
    assert int(found[2]) == 1


def test_no_number_is_no_success(served, network):
    """An export that gives NaN fails."""
    with pytest.raises(VerificationFailed, match="greatest difference nan"):
        verify(shift_output(served(), np.nan), network())


def test_other_tensors_fail_first(served, network):
    """Names and shapes are compared before values."""
    with pytest.raises(VerificationFailed) as caught:
        verify(served(), network("wenet"))
    assert "'audio': ('batch', 256, 16, 32)" in str(caught.value).partition(", got ")[0]
    assert "'audio': ('batch', 32, 16, 16)" in str(caught.value).partition(", got ")[2]


def test_reference_feeds_the_published_input(network):
    """The PyTorch side stacks [face, face with a black rectangle], as training does."""
    faces, audio = inputs(1, salt=8)
    with torch.inference_mode():
        expected = network()(torch.from_numpy(network_input(faces)), torch.from_numpy(audio)).numpy()
    np.testing.assert_allclose(reference(network(), faces, audio), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "shape"), [("ave", (32, 16, 16)), ("hubert", (32, 32, 32)), ("wenet", (256, 16, 32))]
)
def test_example_inputs(network, mode, shape):
    """Examples are named, typed and shaped as the served graph's inputs, and the same at every call."""
    first, second = example_inputs(network(mode), 3), example_inputs(network(mode), 3)
    assert {name: (array.shape, array.dtype) for name, array in first.items()} == {
        "face": ((3, 320, 320, 3), np.uint8),
        "audio": ((3, *shape), np.float32),
    }
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
        assert len(np.unique(first[name])) > 100


def test_agreement_says_difference_beside_tolerance():
    """An agreement prints batch, difference, tolerance and levels."""
    assert str(Agreement(16, 5.6e-06, TOLERANCES["fp32"], 1)) == (
        "batch 16: greatest difference 5.60e-06 (tolerance 1e-04), pictures within 1 of 255"
    )
