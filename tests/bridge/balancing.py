"""What the tests of the balancer have in common."""

import asyncio

from bridge import turns
from bridge.triton import frame_request

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


def infer(balancer, model_name="echo", frame_id=1, client="", **settings):
    """Return the task of one frame that a client asks for in turn."""

    async def ask():
        turns.current.set(turns.Client(client))
        return await balancer.infer(frame_request(model_name, frame_id, ("jpeg",)), TIMEOUT_S, **settings)

    return asyncio.create_task(ask())
