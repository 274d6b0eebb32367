"""What of the speech waits, what was handed on, and whether a picture is overdue."""

from __future__ import annotations

import asyncio
import math
import time

from lipsync_client import InvalidSetting

__all__ = ["Playing"]


class Playing:
    """The clock of what was handed on: it plays from then on, and one piece after the other.

    Args:
        timeout_s: How long sound waits for its picture when all before it was played, in seconds.

    Attributes:
        rate: Samples a second of the sound; to be set before any is handed on.
        timeout_s: As given.
        emptied: Set while no sound waits.

    Raises:
        InvalidSetting: If ``timeout_s`` is no number of seconds above 0.
    """

    def __init__(self, timeout_s: float) -> None:
        if not 0 < timeout_s < math.inf:
            raise InvalidSetting("picture_timeout_s", "a number of seconds above 0", timeout_s)
        self.rate = 0
        self.timeout_s = timeout_s
        self.emptied = asyncio.Event()
        self.emptied.set()
        self._is_waiting = asyncio.Event()
        self._since_s = 0.0
        self._played_s = 0.0

    def waits(self, samples: int) -> None:
        """Note how many samples wait now."""
        if samples and self.emptied.is_set():
            self._since_s = time.monotonic()
            self.emptied.clear()
            self._is_waiting.set()
        elif not samples:
            self.emptied.set()
            self._is_waiting.clear()

    def plays(self, samples: int) -> None:
        """Note that samples were handed on."""
        self._since_s = time.monotonic()
        self._played_s = max(self._played_s, self._since_s) + samples / self.rate

    def stops(self) -> None:
        """Note that what was handed on is not played any more: it was interrupted."""
        self._played_s = 0.0

    async def overdue(self) -> None:
        """Return when sound has waited for too long."""
        while True:
            await self._is_waiting.wait()
            left_s = max(self._since_s, self._played_s) + self.timeout_s - time.monotonic()
            if left_s <= 0:
                return
            await asyncio.sleep(left_s)
