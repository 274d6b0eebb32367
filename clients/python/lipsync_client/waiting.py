"""Deadlines for what is awaited, without losing a cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["within"]

T = TypeVar("T")


async def within(coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Return what a coroutine returns, and cancel it if it takes too long.

    Before Python 3.12 ``asyncio.wait_for`` swallows a cancellation that comes together with the result: whoever ends a
    task that way would wait for it forever.

    Raises:
        TimeoutError: If it takes longer than ``timeout_s``, in seconds.
    """
    task = asyncio.ensure_future(coroutine)
    try:
        done, _ = await asyncio.wait({task}, timeout=timeout_s)
        if not done:
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
