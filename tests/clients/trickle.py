"""A slow network: a proxy that hands a server's answers over byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

__all__ = ["Trickle", "trickle"]

TICK_S = 0.05
"""Between two bytes: an answer of some hundred takes longer than any deadline of the tests."""


class Trickle:
    """Hands the answers of ``host:port`` over, all at once at first.

    Attributes:
        at_once: How many more bytes pass at once before the rest trickles; None for all.
        done: Set when a connection through it has ended.
    """

    def __init__(self, address: str) -> None:
        self.host, _, self.port = address.rpartition(":")
        self.at_once: int | None = None
        self.done = asyncio.Event()
        self.closing = asyncio.Event()
        self.connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        task = asyncio.current_task()
        assert task is not None
        self.connections.add(task)
        from_server, to_server = await asyncio.open_connection(self.host, self.port)
        closing = asyncio.create_task(self.closing.wait())
        ways = [
            asyncio.create_task(self._pass_on(reader, to_server)),
            asyncio.create_task(self._hand_over(from_server, writer, closing)),
            closing,
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self.done.set()
        for side in (to_server, writer):
            side.close()
            with contextlib.suppress(OSError):
                await side.wait_closed()

    async def close(self) -> None:
        """End every connection."""
        self.closing.set()
        await asyncio.gather(*self.connections)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def _hand_over(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, closing: asyncio.Task[bool]
    ) -> None:
        while data := await reader.read(65536):
            count = len(data) if self.at_once is None else min(self.at_once, len(data))
            writer.write(data[:count])
            if self.at_once is not None:
                self.at_once -= count
            for byte in data[count:]:
                writer.write(bytes([byte]))
                await asyncio.wait([closing], timeout=TICK_S)


@contextlib.asynccontextmanager
async def trickle(address: str) -> AsyncIterator[tuple[Trickle, str]]:
    """Put a proxy before ``host:port``, and yield it and its own ``host:port``."""
    proxy = Trickle(address)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        yield proxy, f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await proxy.close()
