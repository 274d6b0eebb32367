"""lipsync_client/waiting.py"""

from __future__ import annotations

import asyncio

import pytest

from lipsync_client.waiting import within


async def test_what_is_there_in_time() -> None:
    """The result is handed on, and so is an error."""

    async def fail() -> None:
        raise KeyError("own")

    assert await within(asyncio.sleep(0, "done"), 5) == "done"
    with pytest.raises(KeyError, match="own"):
        await within(fail(), 5)


async def test_what_takes_too_long_is_cancelled() -> None:
    """Nothing of it goes on."""
    ended = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await within(hang(), 0.01)
    assert ended.is_set()


async def test_a_cancellation_that_comes_with_the_result_is_not_lost() -> None:
    """Whoever cancels a task that is just being answered does not wait for it forever."""

    async def answer() -> str:
        await asyncio.sleep(0)
        task.cancel()
        return "too late"

    task = asyncio.create_task(within(answer(), 5))
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_reaches_what_is_awaited() -> None:
    """It is over when the task is."""
    ended = asyncio.Event()
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(within(hang(), 5))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
