"""benchmarks/gpu/engine.py"""

from pathlib import Path

import pytest

from benchmarks.errors import NotAvailable
from benchmarks.gpu.engine import open_device


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
def test_without_a_gpu():
    """Without a GPU the measurement ends in one sentence."""
    with pytest.raises(NotAvailable, match=r"^the GPU benchmark is skipped: no CUDA device"):
        open_device()
