"""The client for asyncio."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from lipsync_client.base import BaseClient
from lipsync_client.errors import ClientClosed, InferTimeout, ServerUnavailable
from lipsync_client.interfaces import AsyncTransport
from lipsync_client.settings import Settings
from lipsync_client.transports import open_async_transport
from lipsync_client.wire import (
    AvatarMetadata,
    Call,
    Frame,
    avatar_names,
    checked_frame_ids,
    chunked,
    frames_model,
    max_batch_size,
    parse_frames,
    parse_metadata,
)

__all__ = ["AsyncLipsyncClient"]

T = TypeVar("T")


class AsyncLipsyncClient(BaseClient[AsyncTransport]):
    """Renders frames of the avatars of one Triton server; belongs to one event loop.

    ``async with AsyncLipsyncClient("grpc://localhost:8001") as client: await client.render("demo", 0)``

    Arguments as in ``BaseClient``. Every method raises ``ServerUnavailable``, ``InferTimeout``,
    ``ServerError`` or ``ClientClosed`` when the server or the client is at fault.
    """

    async def __aenter__(self) -> AsyncLipsyncClient:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Cancel what streams have in flight, and close the connections; harmless when repeated."""
        self._closed = True
        await _cancel(self._tasks)
        await self._transport.close()

    async def render(self, model_name: str, frame_id: int) -> bytes:
        """Return one frame as a JPEG.

        Raises:
            InvalidFrameId: If the id is outside the avatar's range.
            UnknownModel: If the server has no such avatar loaded.
        """
        return (await self._render(model_name, checked_frame_ids(model_name, [frame_id])))[0].jpeg

    async def render_batch(self, model_name: str, frame_ids: Iterable[int]) -> list[bytes]:
        """Return the frames as JPEGs, in the order of their ids.

        Each request asks for as many frames as the avatar's configuration allows, one after the other.

        Raises:
            InvalidFrameId: If one id is outside the avatar's range.
            UnknownModel: If the server has no such avatar loaded.
        """
        checked = checked_frame_ids(model_name, frame_ids)
        if not checked:
            return []
        chunks = chunked(checked, await self._max_batch_size(model_name))
        return [frame.jpeg for chunk in chunks for frame in await self._render(model_name, chunk)]

    def stream(
        self, model_name: str, start: int, stop: int, *, max_inflight: int = 8
    ) -> AsyncGenerator[Frame, None]:
        """Return the frames from ``start`` up to, not including, ``stop``, in order.

        While one is consumed the next ``max_inflight - 1`` are being rendered, each by a request of its
        own. Cancelling the consumer, or closing the stream (``contextlib.aclosing``) or the client, cancels
        those in flight, at the server too.

        Raises:
            InvalidFrameId: If ``start`` or ``stop`` is no INT32; while iterating, if an id is outside the
                avatar's range, after the frames before it.
            InvalidSetting: If ``max_inflight`` is below 1.
            UnknownModel: If the server has no such avatar loaded, while iterating.
        """
        frame_ids = self._checked_range(model_name, start, stop, max_inflight)
        return self._stream(model_name, frame_ids, max_inflight)

    async def models(self) -> list[str]:
        """Return the names of the avatars that are loaded, sorted."""
        return avatar_names(await self._send(self._transport.wire.models_call()))

    async def metadata(self, model_name: str) -> AvatarMetadata:
        """Return what the server says about one avatar.

        Raises:
            UnknownModel: If the server has no such avatar loaded.
            InvalidAnswer: If its configuration lacks a fact.
        """
        wire = self._transport.wire
        frames_config = await self._send(wire.config_call(frames_model(model_name), model_name))
        config = await self._send(wire.config_call(model_name, model_name))
        return parse_metadata(model_name, frames_config, config)

    async def is_server_ready(self) -> bool:
        """Return whether a server answers within the deadline, and calls itself ready."""
        try:
            return await self._send(self._transport.wire.ready_call())
        except (ServerUnavailable, InferTimeout):
            return False

    @cached_property
    def _tasks(self) -> set[asyncio.Task[list[Frame]]]:
        """What streams have in flight; ``close`` cancels what an abandoned stream left."""
        return set()

    @staticmethod
    def _open_transport(settings: Settings) -> AsyncTransport:
        return open_async_transport(settings)

    async def _stream(
        self, model_name: str, frame_ids: range, max_inflight: int
    ) -> AsyncGenerator[Frame, None]:
        inflight: deque[asyncio.Task[list[Frame]]] = deque()
        try:
            for frame_id in frame_ids:
                inflight.append(self._start_render(model_name, frame_id))
                if len(inflight) == max_inflight:
                    yield await self._first_of(inflight)
            while inflight:
                yield await self._first_of(inflight)
        finally:
            await _cancel(inflight)

    async def _first_of(self, inflight: deque[asyncio.Task[list[Frame]]]) -> Frame:
        await asyncio.wait([inflight[0]])  # unlike awaiting the task, tells whose cancellation it is
        task = inflight.popleft()
        if task.cancelled():
            raise ClientClosed(self.url)
        return task.result()[0]

    def _start_render(self, model_name: str, frame_id: int) -> asyncio.Task[list[Frame]]:
        task = asyncio.create_task(self._render(model_name, [frame_id]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _render(self, model_name: str, frame_ids: Sequence[int]) -> list[Frame]:
        started = time.perf_counter()
        answer = await self._send(self._transport.wire.infer_call(model_name, frame_ids))
        return parse_frames(model_name, frame_ids, answer, (time.perf_counter() - started) * 1000)

    async def _max_batch_size(self, model_name: str) -> int:
        if model_name not in self._max_batch_sizes:
            config = await self._send(self._transport.wire.config_call(model_name, model_name))
            self._max_batch_sizes[model_name] = max_batch_size(model_name, config)
        return self._max_batch_sizes[model_name]

    async def _send(self, call: Call[T]) -> T:
        with self._translated(call.model_name):
            return await self._transport.send(call)


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
