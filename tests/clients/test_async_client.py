"""What only the asyncio client does: cancellation reaches the server."""

from __future__ import annotations

import asyncio

import pytest

from lipsync_client import AsyncLipsyncClient, ClientClosed
from tests.clients.kinds import opened
from tests.fake_triton import FakeTriton

pytestmark = pytest.mark.parametrize("kind", ["async-grpc", "async-http"], indirect=True)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """The asyncio kinds only."""
    return request.param


async def test_cancelled_render_is_cancelled_at_the_server(kind: str, address: str, fake: FakeTriton) -> None:
    """Cancelling the task that renders ends the request at the server too."""
    async with opened(kind, address) as client:
        task = asyncio.ensure_future(client.render("slow", 0))
        await fake.wait_for_calls("slow", 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.wait_for_cancelled("slow", 1)


async def test_cancelled_stream_cancels_all_in_flight(kind: str, address: str, fake: FakeTriton) -> None:
    """Cancelling a stream's consumer cancels every request of it, and leaves no task behind."""
    async with opened(kind, address) as client:
        tasks_before = asyncio.all_tasks()
        consumer = asyncio.ensure_future(anext(client.client.stream("slow", 0, 50, max_inflight=5)))
        await fake.wait_for_calls("slow", 5)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        await fake.wait_for_cancelled("slow", 5)
        assert not [task for task in asyncio.all_tasks() - tasks_before if "_render" in repr(task)]


async def test_close_cancels_what_an_abandoned_stream_left(kind: str, address: str, fake: FakeTriton) -> None:
    """Closing the client ends the requests of a stream that nobody closed."""
    async with opened(kind, address) as client:
        frames = client.client.stream("slow", 0, 50, max_inflight=3)
        consumer = asyncio.ensure_future(anext(frames))
        await fake.wait_for_calls("slow", 3)
        await client.call("close")
        assert not [task for task in asyncio.all_tasks() if "_render" in repr(task)]
        await fake.wait_for_cancelled("slow", 3)
        with pytest.raises(ClientClosed):
            await consumer


async def test_close_during_render(kind: str, address: str, fake: FakeTriton) -> None:
    """A request that was in flight when its client was closed says so."""
    async with opened(kind, address) as client:
        task = asyncio.ensure_future(client.render("slow", 0))
        await fake.wait_for_calls("slow", 1)
        await client.call("close")
        with pytest.raises(ClientClosed):
            await task


async def test_cancel_and_close_at_once(kind: str, address: str, fake: FakeTriton) -> None:
    """A task that was cancelled ends as cancelled, even when its client is closed at the same time."""
    async with opened(kind, address) as client:
        task = asyncio.ensure_future(client.render("slow", 0))
        await fake.wait_for_calls("slow", 1)
        task.cancel()
        await client.call("close")
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_client_can_be_made_outside_a_loop(kind: str, address: str) -> None:
    """Constructing binds no event loop: the first request does."""
    scheme = kind.removeprefix("async-")
    client = await asyncio.to_thread(AsyncLipsyncClient, f"{scheme}://{address}")
    async with client:
        assert await client.is_server_ready()
