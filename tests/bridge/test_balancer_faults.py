"""bridge/balancer.py: what dies, hangs or comes late costs no frame."""

import asyncio

import pytest

from bridge import warming
from bridge.balancer import Balancer
from bridge.errors import (
    InternalError,
    NoUpstreamReady,
    Overloaded,
)
from bridge.triton import bytes_output
from bridge.warming import WARM_COPIES
from tests.bridge.balancing import TIMEOUT_S, first_to_receive, infer, render, upstream_of, usually
from tests.bridge.helpers import config_for, triton_process, until
from tests.fake_triton import fake_jpeg


async def test_lost_call_is_tried_on_another(tritons):
    """A call whose upstream dies is answered by another, and the dead one is out at once."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second, probe_interval_s=60)) as balancer:
        calls = [asyncio.create_task(render(balancer, "slow", frame_id)) for frame_id in range(8)]
        await first.wait_for_calls("slow", 4)
        await second.wait_for_calls("slow", 4)
        await first.kill()
        await second.wait_for_calls("slow", 8)
        assert [upstream.ready for upstream in balancer.upstreams] == [False, True]
        second.release.set()
        answers = [bytes_output(response, "jpeg") for response in await asyncio.gather(*calls)]
        assert answers == [fake_jpeg("slow", frame_id) for frame_id in range(8)]
        assert [upstream.error_count for upstream in balancer.upstreams] == [4, 0]


async def test_a_call_is_lost_twice_at_most(tritons):
    """When the second upstream dies as well the call fails: a deadly request does not reach them all."""
    async with Balancer(config_for(*tritons, probe_interval_s=60)) as balancer:
        call = asyncio.create_task(render(balancer, "slow"))
        for _ in range(2):
            hit = await first_to_receive(tritons, "slow")
            tritons = tuple(triton for triton in tritons if triton is not hit)
            await hit.kill()
        with pytest.raises(NoUpstreamReady) as caught:
            await call
        assert str(caught.value) == "expected a Triton to answer, got none (1 of 3 ready)"
        assert tritons[0].calls["slow"] == 0


async def test_a_restarted_upstream_is_back(triton):
    """An upstream that died and was started again takes calls again."""
    async with Balancer(config_for(triton)) as balancer:
        await triton.kill()
        with pytest.raises(NoUpstreamReady):
            await render(balancer)
        await triton.start()
        await triton.wait_for_probes(2)
        await render(balancer)


async def test_sigkill_costs_no_frame(triton):
    """While one of two upstreams is killed under load, every frame is answered."""
    async with triton_process() as (address, process), Balancer(config_for(triton, address)) as balancer:
        assert balancer.ready_count == 2

        async def render_many(count):
            return [bytes_output(await render(balancer, "echo", i % 150), "jpeg") for i in range(count)]

        load = [asyncio.create_task(render_many(60)) for _ in range(8)]
        await triton.wait_for_calls("echo", 100)
        process.kill()
        for answers in await asyncio.gather(*load):
            assert answers == [fake_jpeg("echo", i % 150) for i in range(60)]
        assert [upstream.ready for upstream in balancer.upstreams] == [True, False]


async def test_a_late_call_is_asked_of_another(tritons):
    """A call that takes much longer than usual is asked of a second upstream as well, and the first answer counts."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second)) as balancer:
        usually(balancer, "slow", 0.001)
        call = asyncio.create_task(render(balancer, "slow", 7))
        hit = await first_to_receive((first, second), "slow")
        other = second if hit is first else first
        await other.wait_for_calls("slow", 1)
        assert not call.done()
        other.release.set()
        assert bytes_output(await call, "jpeg") == fake_jpeg("slow", 7)
        late = upstream_of(balancer, hit)
        assert (late.inflight, late.ready) == (1, True)  # its answer is waited for, to know how slow it is
        hit.release.set()
        await until(lambda: not late.inflight)
        assert late.pace > upstream_of(balancer, other).pace
        assert not hit.cancelled["slow"]


async def test_no_more_than_a_fifth_is_asked_twice(tritons):
    """Where late calls have used up the budget, the next late ones wait for their first upstream."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second)) as balancer:
        usually(balancer, "slow", 0.001)
        while balancer.budget.spend():
            pass
        call = asyncio.create_task(render(balancer, "slow"))
        hit = await first_to_receive((first, second), "slow")
        probes = hit.probes
        await hit.wait_for_probes(2)  # a late call brings a probe about: it is late by now
        await asyncio.sleep(2 * balancer.latencies.late_s("slow"))
        hit.release.set()
        await call
        assert first.calls["slow"] + second.calls["slow"] == 1
        assert hit.probes > probes


async def test_calls_of_a_hung_upstream_are_moved(tritons):
    """When an upstream does not even answer its probe, the calls it has go to another, late or not."""
    first, second, _ = tritons
    settings = config_for(first, second, probe_interval_s=0.02, probe_timeout_s=0.1)
    async with Balancer(settings) as balancer:
        usually(balancer, "echo", 100.0)
        first.awake.clear()
        second.awake.clear()
        calls = [asyncio.create_task(render(balancer, "echo", frame_id)) for frame_id in range(4)]
        await first.wait_for_calls("echo", 2)
        await second.wait_for_calls("echo", 2)
        second.awake.set()
        answers = [bytes_output(response, "jpeg") for response in await asyncio.gather(*calls)]
        assert answers == [fake_jpeg("echo", frame_id) for frame_id in range(4)]
        assert [upstream.ready for upstream in balancer.upstreams] == [False, True]
        assert upstream_of(balancer, first).error_count == 2
        first.awake.set()
        await until(lambda: balancer.ready_count == 2)


async def test_a_failing_upstream_costs_no_frame(tritons):
    """A call that fails inside one Triton is answered by another; what fails everywhere is an error after two tries."""
    first, second, third = tritons
    async with Balancer(config_for(*tritons)) as balancer:
        first.failing.add("echo")
        for frame_id in range(6):
            response = await render(balancer, "echo", frame_id)
            assert bytes_output(response, "jpeg") == fake_jpeg("echo", frame_id)
        with pytest.raises(InternalError):
            await render(balancer, "broken")
        assert first.calls["broken"] + second.calls["broken"] + third.calls["broken"] == 2


async def test_a_failing_model_is_left_out(tritons):
    """A model that one Triton fails and another answers is asked of the other; its other models stay in."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second, policy="round_robin")) as balancer:
        first.failing.add("echo")
        for triton in (first, second):
            triton.add_model("late")
        await asyncio.gather(*(render(balancer, "echo", frame_id) for frame_id in range(12)))
        await until(lambda: upstream_of(balancer, first).failing_models == ["echo"])
        failed = first.calls["echo"]
        for name in 4 * ["echo"] + 4 * ["late"]:
            await render(balancer, name)
        assert (first.calls["echo"], first.calls["late"]) == (failed, 2)
        second.failing.add("echo")  # then the one that was left out is as good as any
        with pytest.raises(InternalError):
            await render(balancer)
        first.failing.clear()
        await until(lambda: not upstream_of(balancer, first).recovery.is_failing("echo"))


async def test_a_dead_process_is_loaded_anew(triton, tmp_path, monkeypatch):
    """The only Triton's dead process is mended through the bridge's secret, while frames fail."""
    monkeypatch.setattr("bridge.recovery.PATIENCE_S", 0.0)
    secret_file = tmp_path / "secret"
    secret_file.write_text("letmein")
    triton.secret = "letmein"
    async with Balancer(config_for(triton, triton_secret_file=str(secret_file))) as balancer:
        triton.failing.add("echo")
        with pytest.raises(InternalError):
            await render(balancer)
        await until(lambda: len(triton.control) == 2)
        assert triton.control == ["unload echo", "load echo"]
        await render(balancer)


async def test_a_full_queue_is_asked_elsewhere(tritons):
    """A call that finds one Triton's queue full is tried on another; full queues everywhere leave both in rotation."""
    async with Balancer(config_for(*tritons)) as balancer:
        for triton in tritons:
            triton.add_model("full")
        with pytest.raises(Overloaded):
            await render(balancer, "full")
        assert sum(triton.calls["full"] for triton in tritons) == 2
        assert balancer.ready_count == 3


async def test_a_slow_upstream_gets_little(tritons):
    """An upstream that was slow lately is asked when the others have that much more to do."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second)) as balancer:
        upstream_of(balancer, first).note_pace(30.0)  # as slow as anything can be: a weight of 6
        for _ in range(4):
            await render(balancer)
        assert (first.calls["echo"], second.calls["echo"]) == (0, 4)
        slow = [asyncio.create_task(render(balancer, "slow")) for _ in range(7)]
        await second.wait_for_calls("slow", 5)
        await first.wait_for_calls("slow", 1)
        first.release.set()
        second.release.set()
        await asyncio.gather(*slow)


async def test_what_came_back_is_warmed(tritons, monkeypatch):
    """One that comes back is given copies of what the other is asked, until it is warm; of live pictures it is not."""
    first, second, _ = tritons
    monkeypatch.setattr(warming, "LEAST_COLD_S", TIMEOUT_S)  # a busy machine is no cold cache
    async with Balancer(config_for(first, second)) as balancer:
        returned = upstream_of(balancer, second)
        second.set_ready(False)
        await until(lambda: not returned.ready)
        second.set_ready(True)
        await until(lambda: returned.ready)
        returned.note_pace(30.0)  # others have far less to do
        await infer(balancer, is_urgent=True)
        assert second.calls["echo"] == 0
        for _ in range(WARM_COPIES + 8):
            await infer(balancer)
            await until(lambda: not returned.inflight)
        assert not returned.warming.is_due
        assert first.calls["echo"] + second.calls["echo"] == 1 + 8 + 2 * WARM_COPIES


async def test_a_copy_that_fails_fails_nobody(tritons):
    """A copy is nobody's: where it fails, its upstream is known to fail, and the answer of the other is what counts."""
    first, second, _ = tritons
    async with Balancer(config_for(first, second)) as balancer:
        returned = upstream_of(balancer, second)
        returned.warming.begin()
        returned.note_pace(30.0)
        second.failing.add("echo")
        response = await infer(balancer)
        await until(lambda: not returned.inflight)
        assert bytes_output(response, "jpeg") == fake_jpeg("echo", 1)
        assert second.calls["echo"] == 1
        assert returned.error_count == 1
