"""benchmarks/simulation/crowd.py, on the real Triton and bridge"""

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.simulation.crowd import call_without_pause, offer
from benchmarks.simulation.outcome import Outcome
from benchmarks.triton import running_bridge, running_triton
from benchmarks.websocket import frame_message

MESSAGES = [frame_message("demo", frame_id) for frame_id in range(10)]


async def test_real_clients(workspace):
    """Callers and an offered rate get pictures; refusals and unknown models are answers with a code."""
    async with (
        running_triton(workspace.model_repository, "latency") as triton,
        running_bridge(triton.grpc_url) as bridge,
    ):
        calls = Outcome()
        while not calls.good:  # a machine that does much else gives none at first; the test's limit ends that
            calls = await call_without_pause(bridge.port, 2, MESSAGES, 1.0)
        few = await offer(bridge.port, 4, MESSAGES, 4.0, 1.5, warm_s=0.5)
        unknown = await offer(bridge.port, 2, [frame_message("nobody", 0)], 20.0, 0.5, warm_s=0.1)
    assert calls.codes.keys() == {"ok"}
    assert calls.asked == calls.good > 0
    assert few.codes.keys() <= {"ok"}
    assert few.asked == pytest.approx(6, abs=1)
    assert unknown.codes.keys() == {"unknown_model"}


async def test_a_connection_that_is_lost():
    """Where nobody listens, or the bridge goes, one sentence says so."""
    with pytest.raises((LoadFailed, OSError)):
        await call_without_pause(1, 1, MESSAGES, 1.0)
