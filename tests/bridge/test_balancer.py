"""bridge/balancer.py: who is asked, and what all are asked."""

import asyncio
from collections import Counter

import pytest

from bridge.balancer import Balancer
from bridge.errors import (
    InferTimeout,
    InternalError,
    InvalidFrameId,
    NoneReadyInTime,
    NoUpstreamReady,
    UnknownModel,
    UnresolvableUpstream,
)
from bridge.triton import bytes_output, frame_request
from tests.bridge.balancing import TIMEOUT_S, first_to_receive, render
from tests.bridge.helpers import config_for
from tests.fake_triton import FakeTriton, fake_jpeg


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
