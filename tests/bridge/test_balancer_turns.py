"""bridge/balancer.py: no more at a time than a Triton can, and whose turn it is."""

import asyncio

import pytest

from bridge.balancer import Balancer
from bridge.errors import (
    NoUpstreamReady,
    Overloaded,
)
from bridge.limit import FIRST
from tests.bridge.balancing import TIMEOUT_S, infer, render, usually
from tests.bridge.helpers import config_for, until
from tests.fake_triton import FakeTriton


async def test_no_more_than_it_can(triton):
    """A Triton gets as many frames at once as its limit says; the others wait, and are refused when it takes long."""
    async with Balancer(config_for(triton, queue_wait_s=0.05)) as balancer:
        upstream = balancer.upstreams[0]
        running = [infer(balancer, "slow", client="a") for _ in range(FIRST)]
        await triton.wait_for_calls("slow", FIRST)
        waiting = [infer(balancer, "slow", client=str(number)) for number in range(4)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(Overloaded) as caught:
            await done.pop()
        assert str(caught.value).startswith("expected a turn for model 'slow' within 0.")
        assert (upstream.inflight, upstream.ready, upstream.error_count) == (FIRST, True, 0)
        triton.release.set()
        await asyncio.gather(*running)
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert not all(isinstance(result, Overloaded) for result in results)  # the next one stayed
        assert balancer.waiting_count == 0


async def test_a_live_session_comes_first(triton):
    """A live session's call is given the first place that is free, and waits for it as long as it may."""
    async with Balancer(config_for(triton, queue_wait_s=TIMEOUT_S)) as balancer:
        running = [infer(balancer, "slow", client="a") for _ in range(FIRST)]
        await triton.wait_for_calls("slow", FIRST)
        clips = [infer(balancer, "slow", client=str(number)) for number in range(8)]
        live = infer(balancer, "echo", client="live", is_urgent=True)
        await until(lambda: balancer.waiting_count == 9)
        running[0].cancel()
        await live
        assert triton.calls["slow"] <= FIRST + 1  # those that ran, and at most the one that came after it
        triton.release.set()
        await asyncio.gather(*running[1:], *clips)


async def test_a_model_that_hangs_blocks_no_other(triton):
    """Calls that take much longer than usual leave their places to others, though they are still waited for."""
    async with Balancer(config_for(triton)) as balancer:
        stuck = [infer(balancer, "slow", client="a") for _ in range(2 * FIRST)]
        await triton.wait_for_calls("slow", FIRST)
        await infer(balancer, "echo", client="b")
        triton.release.set()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_what_need_not_wait(triton):
    """Metadata, and whatever else is not a frame, is asked for at any time."""
    async with Balancer(config_for(triton)) as balancer:
        running = [infer(balancer, "slow") for _ in range(FIRST)]
        await triton.wait_for_calls("slow", FIRST)
        await balancer.call(lambda client: client.get_model_config("echo_frames", TIMEOUT_S))
        await render(balancer)
        triton.release.set()
        await asyncio.gather(*running)


async def test_triton_is_told_the_deadline(triton):
    """Triton knows how long a frame may wait in its queues: nobody waits for it any longer."""
    async with Balancer(config_for(triton)) as balancer:
        await infer(balancer)
    assert triton.timeouts_us == [10_000_000]


async def test_none_is_ready_to_wait_for(triton):
    """Without an upstream that is ready a frame fails at once, and so do those that wait when it goes."""
    async with Balancer(config_for(triton, probe_interval_s=60, queue_wait_s=TIMEOUT_S)) as balancer:
        running = [infer(balancer, "slow", client="a") for _ in range(FIRST)]
        await triton.wait_for_calls("slow", FIRST)
        waiting = infer(balancer, "echo", client="b")
        await until(lambda: balancer.waiting_count == 1)
        await triton.kill()
        for call in [waiting, *running, infer(balancer)]:
            with pytest.raises(NoUpstreamReady):
                await call


async def test_a_second_try_needs_room(tritons):
    """A late frame is not asked of an upstream that has its hands full."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second)) as balancer:
        usually(balancer, "slow", 0.001)
        running = [infer(balancer, "slow", client="a") for _ in range(2 * FIRST)]
        await first.wait_for_calls("slow", FIRST)
        await second.wait_for_calls("slow", FIRST)
        await asyncio.sleep(3 * balancer.latencies.late_s("slow"))
        assert (first.calls["slow"], second.calls["slow"]) == (FIRST, FIRST)
        for triton in (first, second):
            triton.release.set()
        await asyncio.gather(*running)


async def test_handing_on_keeps_the_turns():
    """With an avatar on one of two upstreams only, every other call begins at it: it is not always handed on."""
    async with (
        FakeTriton(models=["echo"]) as first,
        FakeTriton(models=["late"]) as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        for _ in range(4):
            await render(balancer, "late")
        assert (first.calls["late"], second.calls["late"]) == (2, 4)
