"""How much one client may have at once, by its address and by its token, and all clients together."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bridge.access.client import Client
from bridge.errors import BridgeError
from bridge.front.errors import BridgeFull, TooMany

__all__ = ["Budget", "Limit", "Most"]

Key = tuple[str, str]
EVERYBODY: Key = ("bridge", "")


@dataclass(frozen=True)
class Most:
    """How many of something there may be.

    Attributes:
        what: Its name, in the plural.
        of_one: Of one address, or one token.
        of_all: Of all clients together.
    """

    what: str
    of_one: int
    of_all: int


class Limit:
    """Counts something of which a client may have a limited number at once."""

    def __init__(self, most: Most) -> None:
        self._most = most
        self._counts: Counter[Key] = Counter()
        self._waiting: dict[Key, deque[asyncio.Future[None]]] = {}

    @property
    def count(self) -> int:
        """How many there are of all clients."""
        return self._counts[EVERYBODY]

    def take(self, client: Client) -> None:
        """Take one; ``give_back`` has to be called for it.

        Raises:
            TooMany: If the client has as many as it may have.
            BridgeFull: If all clients together have.
        """
        if not self.try_take(client):
            raise self.refusal(client)

    def try_take(self, client: Client) -> bool:
        """Take one if there is one to take, and say whether there was."""
        if self._full(client) is not None:
            return False
        self._count(client, 1)
        return True

    def refusal(self, client: Client) -> BridgeError:
        """Return why there was none to take."""
        full = self._full(client) or EVERYBODY
        if full == EVERYBODY:
            return BridgeFull(self._most.what, self._most.of_all)
        return TooMany(self._most.what, full[0], self._most.of_one)

    async def wait_and_take(self, client: Client) -> None:
        """Take one as soon as there is one to take."""
        while (full := self._full(client)) is not None:
            waiting = self._waiting.setdefault(full, deque())
            turn = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake(full)  # it was this one's turn: the next one has it
                raise
            finally:
                if turn in waiting:
                    waiting.remove(turn)
        self.take(client)

    def give_back(self, client: Client) -> None:
        """Give one back."""
        self._count(client, -1)
        for key in _keys(client):
            self._wake(key)

    @contextlib.contextmanager
    def held(self, client: Client) -> Iterator[None]:
        """Have one for as long as the block lasts.

        Raises:
            TooMany: If the client has as many as it may have.
            BridgeFull: If all clients together have.
        """
        self.take(client)
        try:
            yield
        finally:
            self.give_back(client)

    def _count(self, client: Client, change: int) -> None:
        for key in _keys(client):
            self._counts[key] += change
            if not self._counts[key]:
                del self._counts[key]

    def _full(self, client: Client) -> Key | None:
        for key in _keys(client):
            if self._counts[key] >= (self._most.of_all if key == EVERYBODY else self._most.of_one):
                return key
        return None

    def _wake(self, key: Key) -> None:
        waiting = self._waiting.get(key, deque())
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._waiting.pop(key, None)


class Budget:
    """Bytes that several share: whoever needs many at once takes them, or is told when others gave some back."""

    def __init__(self, total_bytes: int) -> None:
        self._left_bytes = total_bytes
        self._waiting: dict[Callable[[], None], None] = {}

    def take(self, size_bytes: int, call_later: Callable[[], None]) -> bool:
        """Take some, and return whether there were as many; if not, ``call_later`` is called once there are more."""
        if size_bytes > self._left_bytes:
            self._waiting[call_later] = None
            return False
        self._left_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """Give some back."""
        self._left_bytes += size_bytes
        waiting, self._waiting = self._waiting, {}
        for call_later in waiting:
            call_later()


def _keys(client: Client) -> list[Key]:
    keys = [("address", client.address), EVERYBODY]
    return [*keys, ("token", client.token)] if client.token else keys
