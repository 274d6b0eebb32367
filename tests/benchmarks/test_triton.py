"""benchmarks/triton.py"""

import itertools

import pytest

from benchmarks.errors import LoadFailed
from benchmarks.triton import GrpcCaller, running_bridge
from embedded import Server


def test_caller(triton: Server) -> None:
    """A caller fetches frames in turn, and Triton counts them."""
    with GrpcCaller(triton.grpc_url, "demo", itertools.cycle(range(3))) as caller:
        before = caller.statistics("demo_unet").inference_stats.success.count
        caller.call()
        caller.call()
        assert caller.statistics("demo_unet").inference_stats.success.count == before + 2


def test_anything_but_a_frame_fails(triton: Server) -> None:
    """A frame that does not exist ends the measurement with Triton's words."""
    with (
        GrpcCaller(triton.grpc_url, "demo", iter([9999])) as caller,
        pytest.raises(LoadFailed, match=r"frame_id 9999 is outside"),
    ):
        caller.call()


async def test_bridge(triton: Server) -> None:
    """A bridge of its own listens on a free port, and its memory and its processor time can be read."""
    async with running_bridge(triton.grpc_url) as bridge:
        assert bridge.port > 0
        assert 0.1 < bridge.cpu_s() < 60
        assert bridge.resident_bytes() > 10 << 20
