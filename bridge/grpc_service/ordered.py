"""Answer a stream of requests side by side, and give the answers in the order of the requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from typing import TypeVar

__all__ = ["in_order"]

Request = TypeVar("Request")
Response = TypeVar("Response")


async def in_order(
    requests: AsyncIterable[Request], answer: Callable[[Request], Awaitable[Response]], max_inflight: int
) -> AsyncGenerator[Response, None]:
    """Yield the answers, reading on while at most ``max_inflight`` of them are not taken yet.

    Raises:
        Exception: Whatever ``requests`` or ``answer`` raises, in its place; the rest is cancelled.
    """
    window = asyncio.Semaphore(max_inflight)
    answers: asyncio.Queue[asyncio.Task[Response] | None] = asyncio.Queue()  # bounded by the window

    async def call(request: Request) -> Response:
        return await answer(request)

    async def read() -> None:
        try:
            async for request in requests:
                await window.acquire()
                answers.put_nowait(asyncio.create_task(call(request)))
        finally:
            answers.put_nowait(None)

    reader = asyncio.create_task(read())
    current: asyncio.Task[Response] | None = None
    try:
        while (current := await answers.get()) is not None:
            yield await current
            window.release()
        await reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await _cancel(current, answers)


async def _cancel(
    current: asyncio.Task[Response] | None, answers: asyncio.Queue[asyncio.Task[Response] | None]
) -> None:
    tasks = [current]
    while not answers.empty():
        tasks.append(answers.get_nowait())
    waiting = [task for task in tasks if task is not None]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
