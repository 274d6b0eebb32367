"""bridge/backend.py"""

import asyncio

import pytest

from bridge.backend import Backend
from bridge.errors import BackendLost, InternalError, InvalidFrameId
from bridge.triton import bytes_output, frame_request
from tests.fake_triton import fake_jpeg

TIMEOUT_S = 10.0


@pytest.fixture
async def backend(triton):
    backend = Backend(triton.address)
    yield backend
    await backend.client.close()


async def render(backend, model_name="echo", frame_id=1):
    with backend.lease() as client:
        return await client.infer(frame_request(model_name, frame_id, ("jpeg",)), TIMEOUT_S)


async def test_whose_error_it_is(backend):
    """An internal error is the backend's, a bad frame id isn't; calls are counted either way."""
    with pytest.raises(InvalidFrameId):
        await render(backend, frame_id=150)
    assert (backend.total_requests, backend.error_count) == (1, 0)
    with pytest.raises(InternalError):
        await render(backend, "broken")
    assert (backend.total_requests, backend.error_count, backend.inflight) == (2, 1, 0)


async def test_a_lost_call_takes_it_out(triton, backend):
    """A backend that loses a call isn't ready until a probe finds it so."""
    await backend.probe(TIMEOUT_S)
    assert backend.ready
    await triton.kill()
    with pytest.raises(BackendLost):
        await render(backend)
    assert not backend.ready


async def test_it_leaves_when_its_calls_are_done(triton, backend):
    """A backend that leaves answers its calls in flight first."""
    call = asyncio.create_task(render(backend, "slow", 3))
    await triton.wait_for_calls("slow", 1)
    leaving = asyncio.create_task(backend.leave())
    triton.release.set()
    assert bytes_output(await call, "jpeg") == fake_jpeg("slow", 3)
    await asyncio.wait_for(leaving, TIMEOUT_S)


async def test_an_idle_one_leaves_at_once(backend):
    """A backend without calls closes its channel at once."""
    await asyncio.wait_for(backend.leave(), TIMEOUT_S)


async def test_leaving_can_be_cut_short(triton, backend):
    """A backend whose leaving is cancelled cancels its calls."""
    call = asyncio.create_task(render(backend, "slow"))
    await triton.wait_for_calls("slow", 1)
    leaving = asyncio.create_task(backend.leave())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, call, return_exceptions=True)
    await triton.wait_for_cancelled("slow", 1)
