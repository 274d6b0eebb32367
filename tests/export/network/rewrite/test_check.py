"""export/network/rewrite/check.py"""

import numpy as np
import pytest

from export.errors import VerificationFailed
from export.network.rewrite import rewrite_for_cpu
from export.network.rewrite.check import Probe, check_same
from export.network.verify import example_inputs
from tests.export.network.test_verify import shift_output


def test_probe_gives_picture_and_output(served, network):
    """The picture is the output times 255, truncated, in whichever layout the graph computes."""
    for model in (served(), rewrite_for_cpu(served())):
        image, output = Probe(model).run(example_inputs(network(), 2))
        assert (image.shape, output.shape) == ((2, 320, 320, 3), (2, 3, 320, 320))
        np.testing.assert_array_equal(
            image, (output * np.float32(255)).astype(np.uint8).transpose(0, 2, 3, 1)
        )


def test_true_rewriting_passes(served):
    """The network's own rewriting is the same."""
    check_same(served(), rewrite_for_cpu(served()))


@pytest.mark.parametrize(("amount", "said"), [(1e-3, r"\d\.\d\de-04"), (np.nan, "nan")])
def test_another_function_is_refused(served, amount, said):
    """Logits that are off, or no numbers, are refused with the difference and the tolerance."""
    with pytest.raises(VerificationFailed, match=rf"by {said} \(tolerance 1e-04\)"):
        check_same(served(), shift_output(served(), amount))
