"""benchmarks/gpu/crew.py"""

from __future__ import annotations

import os
import time

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.gpu.crew import Crew, shares
from tests.benchmarks.gpu.steps.jobs import die, fail, process_id, wait_for_all


def test_jobs_run_at_the_same_time() -> None:
    """Each job has a process of its own, and none waits for another's end."""
    with Crew(2) as crew:
        first, second = crew.ask([(process_id, {})] * 2, 60.0)
        assert len({first, second, os.getpid()}) == 3
        assert crew.ask([(process_id, {})], 60.0) == [first]


def test_a_job_that_fails() -> None:
    """What a job raises is told in one line, and its process takes the next job."""
    with Crew(1) as crew:
        with pytest.raises(LoadFailed) as caught:
            crew.ask([(fail, {"text": "of\nno use"})], 60.0)
        assert str(caught.value) == "a process that makes load: expected frames, got ValueError: of no use"
        assert crew.ask([(process_id, {})], 60.0)


def test_a_process_that_dies() -> None:
    """A process that is gone is an error at once."""
    with Crew(1) as crew, pytest.raises(LoadFailed, match="expected frames, got its end"):
        crew.ask([(die, {})], 60.0)


def test_a_job_that_takes_too_long() -> None:
    """A job that never ends costs its limit, and its process goes with the crew."""
    start_s = time.monotonic()
    with Crew(1) as crew, pytest.raises(LoadFailed, match=r"expected frames, got no answer within 0\.3 s"):
        crew.ask([(wait_for_all, {})], 0.3)
    assert time.monotonic() - start_s < 60


@pytest.mark.parametrize(
    ("count", "parts", "expected"), [(7, 3, [3, 2, 2]), (2, 4, [1, 1]), (4, 4, [1] * 4), (1, 1, [1])]
)
def test_shares(count: int, parts: int, expected: list[int]) -> None:
    """Parts differ by one at most, and nobody gets nothing."""
    assert shares(count, parts) == expected
