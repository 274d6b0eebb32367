"""bridge/upstream.py"""

import asyncio

import pytest

from bridge.errors import InternalError, InvalidFrameId, Overloaded, Refused, UpstreamLost
from bridge.triton import bytes_output, frame_request
from bridge.upstream import Upstream
from tests.bridge.helpers import until
from tests.fake_triton import fake_jpeg

TIMEOUT_S = 10.0


@pytest.fixture
async def upstream(triton):
    upstream = Upstream(triton.address)
    yield upstream
    await upstream.client.close()


async def render(upstream, model_name="echo", frame_id=1):
    with upstream.lease() as client:
        return await client.infer(frame_request(model_name, frame_id, ("jpeg",)), TIMEOUT_S)


async def test_whose_error_it_is(upstream):
    """An internal error is the upstream's, a bad frame id is not; calls are counted either way."""
    with pytest.raises(InvalidFrameId):
        await render(upstream, frame_id=150)
    assert (upstream.total_requests, upstream.error_count) == (1, 0)
    with pytest.raises(InternalError):
        await render(upstream, "broken")
    assert (upstream.total_requests, upstream.error_count, upstream.inflight) == (2, 1, 0)


async def test_a_lost_call_takes_it_out(triton, upstream):
    """An upstream that loses a call is not ready until a probe finds it so."""
    await upstream.probe(TIMEOUT_S)
    assert upstream.ready
    await triton.kill()
    with pytest.raises(UpstreamLost):
        await render(upstream)
    assert not upstream.ready


async def test_a_probe_that_began_before_a_call_was_lost(upstream, monkeypatch):
    """The answer to a probe that was under way when a call was lost is old news: the next probe decides."""
    asked, answered = asyncio.Event(), asyncio.Event()

    async def is_server_ready(timeout_s):
        asked.set()
        await answered.wait()
        return True

    monkeypatch.setattr(upstream.client, "is_server_ready", is_server_ready)
    probing = asyncio.create_task(upstream.probe(TIMEOUT_S))
    await asked.wait()
    with pytest.raises(UpstreamLost), upstream.lease():
        raise UpstreamLost(upstream.address, "it was closed")
    answered.set()
    await probing
    assert not upstream.ready
    await upstream.probe(TIMEOUT_S)
    assert upstream.ready


async def test_a_lost_call_wakes_the_probe(upstream, monkeypatch):
    """A lost call is followed by a probe at once, however long the pause between two is."""
    probes: asyncio.Queue[None] = asyncio.Queue()

    async def is_server_ready(timeout_s):
        probes.put_nowait(None)
        return True

    monkeypatch.setattr(upstream.client, "is_server_ready", is_server_ready)
    probing = asyncio.create_task(upstream.probe_forever(3600, TIMEOUT_S))
    await asyncio.wait_for(probes.get(), TIMEOUT_S)
    with pytest.raises(UpstreamLost), upstream.lease():
        raise UpstreamLost(upstream.address, "it was closed")
    await asyncio.wait_for(probes.get(), TIMEOUT_S)
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)


async def test_a_refusal_leaves_it_in(triton, upstream):
    """An upstream that is overloaded, or refuses a call, has failed it and stays in the rotation."""
    await upstream.probe(TIMEOUT_S)
    triton.add_model("full")
    triton.secret = "letmein"
    with pytest.raises(Overloaded):
        await render(upstream, "full")
    with pytest.raises(Refused), upstream.lease() as client:
        await client.get_model_repository_index(TIMEOUT_S)
    assert (upstream.ready, upstream.error_count) == (True, 2)


async def test_it_leaves_when_its_calls_are_done(triton, upstream):
    """An upstream that leaves answers its calls in flight first."""
    call = asyncio.create_task(render(upstream, "slow", 3))
    await triton.wait_for_calls("slow", 1)
    leaving = asyncio.create_task(upstream.leave())
    triton.release.set()
    assert bytes_output(await call, "jpeg") == fake_jpeg("slow", 3)
    await asyncio.wait_for(leaving, TIMEOUT_S)


async def test_an_idle_one_leaves_at_once(upstream):
    """An upstream without calls closes its channel at once."""
    await asyncio.wait_for(upstream.leave(), TIMEOUT_S)


async def test_leaving_can_be_cut_short(triton, upstream):
    """An upstream whose leaving is cancelled cancels its calls."""
    call = asyncio.create_task(render(upstream, "slow"))
    await triton.wait_for_calls("slow", 1)
    leaving = asyncio.create_task(upstream.leave())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, call, return_exceptions=True)
    await triton.wait_for_cancelled("slow", 1)


async def test_a_slow_one_weighs_more(upstream, monkeypatch):
    """Answers that come late make an upstream's calls weigh more, quick ones less, and so does time."""
    now_s = 1000.0
    monkeypatch.setattr("bridge.upstream.time.monotonic", lambda: now_s)
    assert upstream.load == 1.0
    upstream.note_pace(0.5)
    assert upstream.load == 1.0  # late is what weighs, nothing below
    upstream.note_pace(1000.0)
    assert 6.0 < upstream.load < 6.2
    with upstream.lease():
        assert 12.0 < upstream.load < 12.4
    now_s += 10.0
    assert 2.2 < upstream.load < 2.3  # divided by e
    for _ in range(4):
        upstream.note_pace(0.1)
    assert upstream.load == 1.0


async def test_one_that_comes_back_begins_slowly(upstream):
    """An upstream that was away, or that joins others, weighs more until its answers tell."""
    await upstream.probe(TIMEOUT_S)
    assert upstream.load == 1.0
    upstream.is_newcomer = True
    with pytest.raises(UpstreamLost), upstream.lease():
        raise UpstreamLost(upstream.address, "it was closed")
    await upstream.probe(TIMEOUT_S)
    assert 3.9 < upstream.load <= 4.0


async def test_only_silence_takes_its_calls_away(triton):
    """A Triton that says it is not ready keeps its calls; one that says nothing loses them."""
    upstream = Upstream(triton.address, on_silence=Upstream.let_go)
    trying = asyncio.create_task(render(upstream, "slow"))
    upstream.hold(trying)
    await triton.wait_for_calls("slow", 1)
    triton.set_ready(False)
    await upstream.probe(TIMEOUT_S)
    assert not upstream.ready
    assert not trying.done()
    triton.awake.clear()
    await upstream.probe(0.1)
    await triton.wait_for_cancelled("slow", 1)
    assert (await asyncio.gather(trying, return_exceptions=True))[0].__class__ is asyncio.CancelledError
    assert (upstream.inflight, upstream.error_count) == (0, 1)
    await upstream.client.close()


async def test_a_late_call_wakes_the_probe(triton, upstream):
    """A late call brings a probe about at once, unless there was one just now."""
    probing = asyncio.create_task(upstream.probe_forever(3600, TIMEOUT_S))
    await triton.wait_for_probes(1)
    await asyncio.sleep(0.11)
    upstream.note_late()
    await triton.wait_for_probes(1)
    probing.cancel()
    await asyncio.gather(probing, return_exceptions=True)


async def test_a_silent_channel_is_made_anew(triton, monkeypatch):
    """A channel that brings no answers for long is closed, and the next probe goes through a new one."""
    monkeypatch.setattr("bridge.upstream.RENEW_AFTER_S", 0.05)
    silences = []
    upstream = Upstream(triton.address, on_silence=silences.append)
    old = upstream.client
    triton.awake.clear()
    await upstream.probe(0.01)
    assert upstream.client is old
    await asyncio.sleep(0.06)
    await upstream.probe(0.01)
    assert upstream.client is not old
    assert silences == [upstream, upstream]
    renewed = upstream.client
    await upstream.probe(0.01)
    assert upstream.client is renewed
    triton.awake.set()
    await upstream.probe(TIMEOUT_S)
    assert upstream.ready
    await upstream.client.close()


async def test_a_probe_without_an_answer_so_far(triton, monkeypatch):
    """Calls may leave an upstream before its probe has failed, when the answer is long in coming."""
    monkeypatch.setattr("bridge.upstream.SILENCE_S", 0.02)
    silences = []
    upstream = Upstream(triton.address, on_silence=silences.append)
    await upstream.probe(TIMEOUT_S)
    triton.awake.clear()
    probing = asyncio.create_task(upstream.probe(TIMEOUT_S))
    await until(lambda: bool(silences))
    assert upstream.ready
    triton.awake.set()
    await probing
    assert upstream.ready
    await upstream.client.close()


async def test_ready_and_healthy(upstream):
    """An upstream whose latest calls all failed inside is ready, and not healthy."""
    await upstream.probe(TIMEOUT_S)
    for _ in range(5):
        assert upstream.healthy
        with pytest.raises(InternalError):
            await render(upstream, "broken")
    assert (upstream.ready, upstream.healthy) == (True, False)
