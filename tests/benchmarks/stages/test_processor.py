"""benchmarks/stages/processor.py; on the real Triton in test_measure.py"""

from __future__ import annotations

import os
import time

import pytest

from benchmarks.stages.processor import Processes, find_processes


def test_spent_is_what_the_kernel_counts() -> None:
    """A process that works uses as much of a core as the kernel says of it, wherever it is counted."""
    own = Processes(stubs=(os.getpid(),), server=os.getpid())
    before, begun_s = own.spent(), time.process_time()
    while time.process_time() < begun_s + 0.2:
        sum(range(1000))
    after = own.spent()
    assert after.stubs_s - before.stubs_s == pytest.approx(0.2, abs=0.05)
    assert after.server_s == pytest.approx(after.stubs_s, abs=0.01)


def test_no_such_model() -> None:
    """A model that nobody serves is said, with the option of the server that was looked for."""
    with pytest.raises(ProcessLookupError) as caught:
        find_processes(["nobody", "no one"], 1)
    assert str(caught.value) == "no stub of nobody, no one under a tritonserver with --grpc-port=1"
