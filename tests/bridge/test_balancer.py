"""bridge/balancer.py"""

import asyncio
from collections import Counter

import pytest

from bridge import turns, warming
from bridge.balancer import Balancer
from bridge.errors import (
    InferTimeout,
    InternalError,
    InvalidFrameId,
    NoneReadyInTime,
    NoUpstreamReady,
    Overloaded,
    UnknownModel,
    UnresolvableUpstream,
)
from bridge.limit import FIRST
from bridge.triton import bytes_output, frame_request
from bridge.warming import WARM_COPIES
from tests.bridge.helpers import config_for, triton_process, until
from tests.fake_triton import FakeTriton, fake_jpeg

TIMEOUT_S = 10.0


def render(balancer, model_name="echo", frame_id=1):
    """Return the coroutine of one frame."""
    request = frame_request(model_name, frame_id, ("jpeg",))
    return balancer.call(lambda triton: triton.infer(request, TIMEOUT_S), model_name)


def usually(balancer, kind, latency_s):
    """Have calls of a kind have taken so long until now."""
    for _ in range(16):
        balancer.latencies.add(kind, latency_s)


def upstream_of(balancer, triton):
    """Return the upstream that a fake Triton is."""
    return next(upstream for upstream in balancer.upstreams if upstream.address == triton.address)


async def first_to_receive(tritons, model_name):
    """Return the one of these that is the first to receive a call of ``model_name``."""
    waits = {asyncio.create_task(triton.wait_for_calls(model_name, 1)): triton for triton in tritons}
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return waits[done.pop()]


@pytest.fixture
async def tritons():
    async with FakeTriton() as first, FakeTriton() as second, FakeTriton() as third:
        yield first, second, third


async def test_round_robin(tritons):
    """Ready upstreams take turns."""
    async with Balancer(config_for(*tritons, policy="round_robin")) as balancer:
        for _ in range(6):
            await render(balancer)
    assert [triton.calls["echo"] for triton in tritons] == [2, 2, 2]


async def test_least_inflight(tritons):
    """An upstream that is busy gets nothing while others are idle, and those take turns."""
    async with Balancer(config_for(*tritons, policy="least_inflight")) as balancer:
        slow = asyncio.create_task(render(balancer, "slow"))
        await first_to_receive(tritons, "slow")
        for _ in range(4):
            await render(balancer)
        for triton in tritons:
            triton.release.set()
        await slow
    assert Counter((triton.calls["slow"], triton.calls["echo"]) for triton in tritons) == {
        (1, 0): 1,
        (0, 2): 2,
    }


async def test_ready_on_entry(tritons, caplog):
    """On entry the state of every upstream is known, and the log names those that are waited for."""
    tritons[1].set_ready(False)
    async with Balancer(config_for(*tritons)) as balancer:
        assert [upstream.ready for upstream in balancer.upstreams] == [True, False, True]
        assert balancer.ready_count == 2
    assert caplog.messages == [f"not ready yet, and waited for: Triton at {tritons[1].address}"]


async def test_probes_follow_readiness(triton):
    """An upstream that says it is not ready is left out, and is back when it says it is."""
    async with Balancer(config_for(triton)) as balancer:
        triton.set_ready(False)
        await triton.wait_for_probes(2)
        with pytest.raises(NoUpstreamReady) as caught:
            await render(balancer)
        assert str(caught.value) == "expected a Triton to answer, got none (0 of 1 ready)"
        triton.set_ready(True)
        await triton.wait_for_probes(2)
        await render(balancer)


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


def infer(balancer, model_name="echo", frame_id=1, client="", **settings):
    """Return the task of one frame that a client asks for in turn."""

    async def ask():
        turns.current.set(turns.Client(client))
        return await balancer.infer(frame_request(model_name, frame_id, ("jpeg",)), TIMEOUT_S, **settings)

    return asyncio.create_task(ask())


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


async def test_lease_is_returned_on_cancel(triton):
    """A cancelled call gives its upstream back, and is not the upstream's error."""
    async with Balancer(config_for(triton)) as balancer:
        upstream = balancer.upstreams[0]
        call = asyncio.create_task(render(balancer, "slow"))
        await triton.wait_for_calls("slow", 1)
        assert upstream.inflight == 1
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (upstream.inflight, upstream.total_requests, upstream.error_count) == (0, 1, 0)


async def test_whose_error_it_is(triton):
    """An internal error is the upstream's, a bad frame id is not; neither takes it out of the rotation."""
    async with Balancer(config_for(triton)) as balancer:
        upstream = balancer.upstreams[0]
        with pytest.raises(InvalidFrameId):
            await render(balancer, "echo", 150)
        assert upstream.error_count == 0
        with pytest.raises(InternalError):
            await render(balancer, "broken")
        assert (upstream.error_count, upstream.inflight, upstream.ready) == (1, 0, True)


async def test_probe_deadline():
    """An upstream that accepts connections and says nothing is not ready once the probe's deadline passed."""
    writers = []
    silent = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    address = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with silent:
        async with Balancer(config_for(address, probe_timeout_s=0.1)) as balancer:
            assert balancer.ready_count == 0
        for writer in writers:
            writer.close()
            await writer.wait_closed()


async def test_a_model_that_only_some_upstreams_know():
    """A frame of an avatar that is loaded on one of two upstreams comes whoever's turn it is."""
    async with (
        FakeTriton(models=["echo"]) as first,
        FakeTriton(models=["late"]) as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        answers = [await render(balancer, "late") for _ in range(4)]
        with pytest.raises(UnknownModel):
            await render(balancer, "nowhere")
    assert {bytes(bytes_output(answer, "jpeg")) for answer in answers} == {fake_jpeg("late", 1)}


async def test_the_first_dies_and_the_second_does_not_know_the_model():
    """A call that was lost is handed on by one that does not know the model, and answered by one that does."""
    async with (
        FakeTriton(models=["slow"]) as third,
        FakeTriton(models=["slow"]) as first,
        FakeTriton(models=["echo"]) as second,
        Balancer(config_for(third, first, second, probe_interval_s=60)) as balancer,
    ):
        third.release.set()
        call = asyncio.create_task(render(balancer, "slow"))
        await first.wait_for_calls("slow", 1)
        await first.kill()
        assert bytes_output(await call, "jpeg") == fake_jpeg("slow", 1)
        assert [triton.calls["slow"] for triton in (first, second, third)] == [1, 1, 1]


async def test_the_only_one_that_knows_the_model_dies():
    """An avatar whose only upstream is gone is unavailable: nobody knows that it is unknown; others go on."""
    async with (
        FakeTriton(models=["echo"]) as other,
        FakeTriton(models=["slow"]) as only,
        Balancer(config_for(other, only, probe_interval_s=60)) as balancer,
    ):
        call = asyncio.create_task(render(balancer, "slow"))
        await only.wait_for_calls("slow", 1)
        await only.kill()
        for coroutine in (call, render(balancer, "slow")):
            with pytest.raises(NoUpstreamReady) as caught:
                await coroutine
            assert str(caught.value) == (
                "expected a Triton that knows the model to answer, got none (1 of 2 ready)"
            )
        assert bytes_output(await render(balancer), "jpeg") == fake_jpeg("echo", 1)


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


async def test_call_all_without_the_late():
    """An upstream that is late gives no answer; when no other answers, it is a timeout."""

    def picture(triton):
        return triton.infer(frame_request("slow", 1, ("jpeg",)), 0.1)

    async with (
        FakeTriton() as first,
        FakeTriton() as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        first.release.set()
        assert len(await balancer.call_all(picture)) == 1
        first.release.clear()
        with pytest.raises(InferTimeout):
            await balancer.call_all(picture)


async def test_call_all_with_a_grace():
    """Where one has answered, the others are waited for a moment only; where none has, as long as they may take."""

    def picture(triton):
        return triton.infer(frame_request("slow", 1, ("jpeg",)), TIMEOUT_S)

    async with (
        FakeTriton() as first,
        FakeTriton() as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        asking = asyncio.create_task(balancer.call_all(picture, 0.02))
        await first.wait_for_calls("slow", 1)
        await second.wait_for_calls("slow", 1)
        assert not asking.done()
        first.release.set()
        assert len(await asking) == 1
        await second.wait_for_cancelled("slow", 1)
        assert [upstream.inflight for upstream in balancer.upstreams] == [0, 0]


async def test_call_all():
    """Every ready upstream is asked; one that is lost meanwhile gives no answer, and all lost is an error."""

    def index(triton):
        return triton.get_model_repository_index(TIMEOUT_S)

    async with (
        FakeTriton(models=["echo"]) as first,
        FakeTriton(models=["late"]) as second,
        Balancer(config_for(first, second)) as balancer,
    ):
        both = await balancer.call_all(index)
        assert {"echo", "late"} <= {name for names in both for name in names}
        await first.kill()
        assert len(await balancer.call_all(index)) == 1
        await second.kill()
        with pytest.raises(NoUpstreamReady):
            await balancer.call_all(index)


class Replicas:
    """DNS for one name, whose addresses a test changes."""

    def __init__(self, *tritons):
        self._addresses = [triton.address for triton in tritons]
        self._lookups = 0
        self._looked_up = asyncio.Condition()

    async def resolve(self, host, port):
        async with self._looked_up:
            self._lookups += 1
            self._looked_up.notify_all()
        return self._addresses

    async def change(self, *addresses):
        """Have the name mean ``addresses``, and return once the balancer has acted on it."""
        self._addresses = list(addresses)
        async with self._looked_up:
            later = self._lookups + 2
            await asyncio.wait_for(self._looked_up.wait_for(lambda: self._lookups >= later), TIMEOUT_S)


def found_by_dns(**settings):
    return config_for("dns:///triton:8001", dns_interval_s=0.01, **settings)


async def test_dns_changes_are_followed(tritons):
    """An address that appears in DNS takes calls; one that vanishes takes none any more."""
    first, second, third = tritons
    replicas = Replicas(first, second)
    async with Balancer(found_by_dns(policy="round_robin"), replicas.resolve) as balancer:
        assert [upstream.address for upstream in balancer.upstreams] == [first.address, second.address]
        await replicas.change(second.address, third.address)
        await third.wait_for_probes(2)
        for _ in range(4):
            await render(balancer)
    assert [triton.calls["echo"] for triton in tritons] == [0, 2, 2]


async def test_a_vanished_upstream_answers_what_it_has(tritons):
    """A call in flight on an upstream that vanishes from DNS is answered by it."""
    first, second, _ = tritons
    replicas = Replicas(first)
    async with Balancer(found_by_dns(), replicas.resolve) as balancer:
        call = asyncio.create_task(render(balancer, "slow", 5))
        await first.wait_for_calls("slow", 1)
        await replicas.change(second.address)
        assert [upstream.address for upstream in balancer.upstreams] == [second.address]
        first.release.set()
        assert bytes_output(await call, "jpeg") == fake_jpeg("slow", 5)
        assert second.calls["slow"] == 0


async def test_twenty_of_a_name_at_most(triton, caplog):
    """More than twenty addresses are cut to twenty, and those that were there stay."""
    replicas = Replicas(triton)
    async with Balancer(found_by_dns(), replicas.resolve) as balancer:
        await replicas.change(*(f"127.0.0.1:{port}" for port in range(1, 25)), triton.address)
        assert len(balancer.upstreams) == 20
        await render(balancer)
    assert triton.calls["echo"] == 1
    assert caplog.messages.count("5 Tritons beyond 20 are left out") == 1


async def test_one_is_required(triton):
    """Where a ready Triton is required, entering waits for it, and fails after the time."""
    triton.set_ready(False)
    with pytest.raises(NoneReadyInTime):
        async with Balancer(config_for(triton, require_ready_s=0.05)):
            pass
    entering = asyncio.create_task(Balancer(config_for(triton, require_ready_s=TIMEOUT_S)).__aenter__())
    await triton.wait_for_probes(2)
    triton.set_ready(True)
    balancer = await entering
    assert balancer.ready_count == 1
    await balancer.__aexit__(None, None, None)


async def test_an_unknown_host():
    """A host that DNS does not know fails at once, before anything is left open."""
    with pytest.raises(UnresolvableUpstream):
        async with Balancer(config_for("no-such-host.invalid:1", resolve_timeout_s=0)):
            pass
