"""A process of a Python backend that dies, of which Triton itself takes no notice, under viewers of computed frames."""

from __future__ import annotations

import pytest

from tests.faults.bridges import watched
from tests.faults.conftest import Report
from tests.faults.report import Goal
from tests.faults.tritons import Tritons

pytestmark = pytest.mark.parametrize("tritons", ["latency"], indirect=True)

VIEWERS, FRAMES_PER_S = 4, 1.0
"""So that two busy cores compute every frame in time."""

STEADY_LIMIT_S = 0.5
WITHIN_S = 15.0


@pytest.mark.parametrize("model_name", ["demo_frames", "demo_unet", "jpeg_encode"])
async def test_a_dead_stub(tritons: Tritons, report: Report, model_name: str) -> None:
    """One Triton's only process of a model is killed."""
    await tritons.ready(frames=1)
    viewing = {"viewers": VIEWERS, "frames_per_s": FRAMES_PER_S, "limit_s": STEADY_LIMIT_S}
    async with watched(tritons, **viewing) as (observation, _):

        async def kill() -> None:
            tritons.kill_stub(model_name)

        fault = f"SIGKILL of the process of {model_name}"
        report(await observation.try_fault(fault, kill, tritons.answers, WITHIN_S), Goal())
