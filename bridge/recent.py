"""What was asked of Triton a moment ago, so that not every viewer asks again."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

__all__ = ["Recent"]

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by model name, each remembered for a while.

    Args:
        ttl_s: How long a value is remembered, in seconds; 0: not at all.
        max_count: How many are; names come from clients, so one more lets all of them go.
    """

    def __init__(self, ttl_s: float, max_count: int) -> None:
        self._ttl_s = ttl_s
        self._max_count = max_count
        self._values: dict[str, tuple[float, Value]] = {}

    def get(self, name: str) -> Value | None:
        """Return what is remembered of a name, or None."""
        put_at_s, value = self._values.get(name, (0.0, None))
        return value if time.monotonic() - put_at_s < self._ttl_s else None

    def put(self, name: str, value: Value) -> None:
        """Remember a value from now on."""
        if len(self._values) >= self._max_count:
            self._values.clear()
        self._values[name] = (time.monotonic(), value)

    def forget(self, name: str) -> None:
        """Forget a name's value, if there is one."""
        self._values.pop(name, None)
