"""The four kinds of client behind one asynchronous face, so that one test can speak of all of them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from lipsync_client import AsyncLipsyncClient, Frame, LipsyncClient

__all__ = ["KINDS", "Client", "opened"]

KINDS = ("sync-grpc", "async-grpc", "sync-http", "async-http")


class Client:
    """A client of any kind: the sync ones run in a thread, beside the event loop of the fakes."""

    def __init__(self, client: LipsyncClient | AsyncLipsyncClient) -> None:
        self.client = client

    async def call(self, method: str, *args: Any) -> Any:
        """Call any method that isn't ``stream``."""
        function = getattr(self.client, method)
        return await (
            function(*args) if inspect.iscoroutinefunction(function) else asyncio.to_thread(function, *args)
        )

    async def render(self, model_name: str, frame_id: Any) -> Any:
        return await self.call("render", model_name, frame_id)

    async def stream(self, *args: Any, **limits: Any) -> AsyncIterator[Frame]:
        frames = self.client.stream(*args, **limits)
        if isinstance(frames, Iterator):
            try:
                while (frame := await asyncio.to_thread(next, frames, None)) is not None:
                    yield frame
            finally:
                await asyncio.to_thread(frames.close)  # type: ignore[attr-defined]  # it is a generator
        else:
            async for frame in frames:
                yield frame


@asynccontextmanager
async def opened(kind: str, address: str, **settings: Any) -> AsyncIterator[Client]:
    """Open a client of ``kind`` for ``host:port``, and close it at the end."""
    waiting, scheme = kind.split("-")
    client_class = LipsyncClient if waiting == "sync" else AsyncLipsyncClient
    client = Client(client_class(f"{scheme}://{address}", **settings))
    try:
        yield client
    finally:
        await client.call("close")
