"""benchmarks/gpu/load.py, on a Triton that computes nothing"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.gpu.crew import Crew
from benchmarks.gpu.load import ask_at_rate, ask_without_pause, at_rate
from tests.fake_triton import FakeTriton, fake_jpeg


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2) as crew:
        yield crew


async def test_callers_without_pause(crew: Crew) -> None:
    """All callers' answers are counted, in both processes, and each has its latency."""
    async with FakeTriton() as triton:
        arguments = (crew, triton.address, "echo", 3, 0.5, 50)
        found = await asyncio.to_thread(ask_without_pause, *arguments)
        answered = triton.calls["echo"] - crew.size  # each process asks once to connect
    assert found.frames_per_s * 0.5 == pytest.approx(answered, rel=0.5)
    assert 0 < found.latencies.p50_ms <= found.latencies.p95_ms <= found.latencies.p99_ms


async def test_a_fixed_rate(crew: Crew) -> None:
    """As many frames are asked for as were due, whatever the answers do."""
    async with FakeTriton() as triton:
        found = await asyncio.to_thread(ask_at_rate, crew, triton.address, "echo", 40.0, 1.0, 50)
        assert triton.calls["echo"] - crew.size == 40
    assert found.frames_per_s == pytest.approx(40, rel=0.5)
    assert found.behind.p50_ms <= found.latencies.p50_ms


async def test_latency_counts_from_when_a_frame_was_due() -> None:
    """A generator that was kept from asking in time says how late it was, and counts that as latency."""
    stalls = iter([0.0, 0.0, 0.4])

    def stalled(name: str, frame_id: int) -> bytes:
        time.sleep(next(stalls, 0.0))  # holds up who asks, too: they share this loop
        return fake_jpeg(name, frame_id)

    async with FakeTriton(jpeg=stalled) as triton:
        _, latencies_ms, behind_ms = await at_rate(triton.address, "echo", 50.0, 0.5, 50, 0.0)
    assert len(behind_ms) == len(latencies_ms) == 25
    assert max(behind_ms) > 300
    assert sorted(latencies_ms)[-10] > 150  # those that were due during the stall


@pytest.mark.parametrize(
    ("model", "got"), [("broken", "INTERNAL: "), ("full", "UNAVAILABLE: "), ("absent", "NOT_FOUND: ")]
)
async def test_anything_but_a_frame(crew: Crew, model: str, got: str) -> None:
    """An error of Triton's is the measurement's, in Triton's words."""
    async with FakeTriton(models=("echo", "broken", "full")) as triton:
        with pytest.raises(LoadFailed, match=f"'{model}' over gRPC: expected frames, got {got}"):
            await asyncio.to_thread(ask_without_pause, crew, triton.address, model, 2, 0.2, 50)


async def test_a_picture_that_is_none(crew: Crew) -> None:
    """Bytes that are no JPEG are refused."""
    async with FakeTriton(jpeg=lambda name, frame_id: b"nothing") as triton:
        with pytest.raises(LoadFailed, match="expected frames, got b'nothing'"):
            await asyncio.to_thread(ask_without_pause, crew, triton.address, "echo", 1, 0.2, 50)
