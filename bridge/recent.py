"""What was asked of Triton a moment ago, or is being asked now, so that not every viewer asks again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["Key", "Recent"]

Value = TypeVar("Value")

Key = tuple[str, ...]
"""A model's name, and whatever else tells its values apart."""


def _one(value: object) -> int:
    return 1


class Recent(Generic[Value]):
    """Values by key: each made by one task, however many ask for it meanwhile, and remembered for a while.

    Args:
        ttl_s: How long a value is remembered, in seconds; 0: not at all.
        max_size: How much is; the values that were asked for longest ago go first.
        size_of: What a value adds to that: 1, or its bytes.
    """

    def __init__(self, ttl_s: float, max_size: int, size_of: Callable[[Value], int] = _one) -> None:
        self._ttl_s = ttl_s
        self._max_size = max_size
        self._size_of = size_of
        self._size = 0
        self._values: dict[Key, tuple[float, Value]] = {}  # in the order in which they were asked for last
        self._making: dict[Key, asyncio.Task[Value]] = {}
        self._tasks: set[asyncio.Task[Value]] = set()  # also those whose model was forgotten meanwhile

    async def get(self, key: Key, make: Callable[[], Awaitable[Value]]) -> Value:
        """Return what is remembered of ``key``, else what ``make`` returns.

        Whoever stops waiting for ``make`` does not stop it for the others.

        Raises:
            Exception: Whatever ``make`` raises, to all who wait for it; it is not remembered.
        """
        if key in self._values:
            made_at_s, value = self._values.pop(key)
            if time.monotonic() - made_at_s < self._ttl_s:
                self._values[key] = made_at_s, value
                return value
            self._size -= self._size_of(value)
        if key not in self._making:
            self._making[key] = task = asyncio.create_task(self._make(key, make))
            self._tasks.add(task)
            task.add_done_callback(self._end)
        return await asyncio.shield(self._making[key])

    def forget(self, model_name: str) -> None:
        """Forget a model's values, and do not remember what is being made of it now."""
        for key in [key for key in self._values if key[0] == model_name]:
            self._drop(key)
        for key in [key for key in self._making if key[0] == model_name]:
            del self._making[key]

    async def close(self) -> None:
        """Stop whatever is being made."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, key: Key, make: Callable[[], Awaitable[Value]]) -> Value:
        remembered = False
        try:
            value = await make()
            remembered = self._making.get(key) is asyncio.current_task()
        finally:
            if self._making.get(key) is asyncio.current_task():
                del self._making[key]
        if remembered:
            self._remember(key, value)
        return value

    def _remember(self, key: Key, value: Value) -> None:
        if not self._ttl_s or self._size_of(value) > self._max_size:
            return
        self._values[key] = time.monotonic(), value
        self._size += self._size_of(value)
        while self._size > self._max_size:
            self._drop(next(iter(self._values)))

    def _drop(self, key: Key) -> None:
        _, value = self._values.pop(key)
        self._size -= self._size_of(value)

    def _end(self, task: asyncio.Task[Value]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio complains of a failure that nobody waited for any more
