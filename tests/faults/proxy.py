"""A network between the bridge and one Triton, whose behaviour a test changes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

__all__ = ["Network", "network"]

CHUNK_BYTES = 256 << 10
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing tells the peer RST, not FIN."""


class Network:
    """Passes connections on to a Triton.

    Attributes:
        address: What to connect to, ``host:port``.
        delay_s: How much longer a round trip takes.
    """

    def __init__(self, target: str) -> None:
        self.address = ""
        self.delay_s = 0.0
        self._host, _, self._port = target.rpartition(":")
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def swallow(self) -> None:
        """Let nothing through from now on, without a word to anybody."""
        self._flowing.clear()

    def pass_on(self) -> None:
        """Let everything through again, what was held up, too."""
        self._flowing.set()

    def reset(self) -> None:
        """Reset every connection."""
        for writer in self._writers:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        with contextlib.suppress(OSError):
            other_reader, other_writer = await asyncio.open_connection(self._host, int(self._port))
            pair = {writer, other_writer}
            self._writers |= pair
            try:
                await self._both_ways((reader, other_writer), (other_reader, writer))
            finally:
                self._writers -= pair
                other_writer.close()
        writer.close()

    async def _both_ways(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        tasks = [asyncio.create_task(self._pump(*way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy one direction; a delay holds up each piece, not those behind it as well."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due_s, piece = await pieces.get()
                await asyncio.sleep(due_s - loop.time())
                await self._flowing.wait()
                writer.write(piece)

        delivering = asyncio.create_task(deliver())
        try:
            while piece := await reader.read(CHUNK_BYTES):
                pieces.put_nowait((loop.time() + self.delay_s / 2, piece))
        finally:
            delivering.cancel()
            await asyncio.gather(delivering, return_exceptions=True)


@contextlib.asynccontextmanager
async def network(target: str) -> AsyncIterator[Network]:
    """Put a network before ``host:port`` while the block runs."""
    running = Network(target)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(running.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    running.address = "{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield running
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
