"""The client for threads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lipsync_client.base import BaseClient
from lipsync_client.errors import InferTimeout, ServerUnavailable
from lipsync_client.interfaces import Transport
from lipsync_client.settings import Settings
from lipsync_client.transports import open_transport
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

__all__ = ["LipsyncClient"]

T = TypeVar("T")


class LipsyncClient(BaseClient[Transport]):
    """Renders frames of the avatars of one Triton server; threads may share it.

    ``with LipsyncClient("grpc://localhost:8001") as client: jpeg = client.render("demo", 0)``

    Arguments as in ``BaseClient``. Every method raises ``ServerUnavailable``, ``InferTimeout``,
    ``ServerError`` or ``ClientClosed`` when the server or the client is at fault.
    """

    def __enter__(self) -> LipsyncClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; harmless when repeated."""
        self._closed = True
        self._transport.close()

    def render(self, model_name: str, frame_id: int) -> bytes:
        """Return one frame as a JPEG.

        Raises:
            InvalidFrameId: If the id is outside the avatar's range.
            UnknownModel: If the server has no such avatar loaded.
        """
        return self._render(model_name, checked_frame_ids(model_name, [frame_id]))[0].jpeg

    def render_batch(self, model_name: str, frame_ids: Iterable[int]) -> list[bytes]:
        """Return the frames as JPEGs, in the order of their ids.

        Each request asks for as many frames as the avatar's configuration allows, one after the other.

        Raises:
            InvalidFrameId: If one id is outside the avatar's range.
            UnknownModel: If the server has no such avatar loaded.
        """
        checked = checked_frame_ids(model_name, frame_ids)
        if not checked:
            return []
        chunks = chunked(checked, self._max_batch_size(model_name))
        return [frame.jpeg for chunk in chunks for frame in self._render(model_name, chunk)]

    def stream(self, model_name: str, start: int, stop: int, *, max_inflight: int = 8) -> Iterator[Frame]:
        """Return the frames from ``start`` up to, not including, ``stop``, in order.

        While one is consumed the next ``max_inflight - 1`` are being rendered, each by a request of its
        own. Leaving the loop early asks for no more frames, and waits for those in flight.

        Raises:
            InvalidFrameId: If ``start`` or ``stop`` is no INT32; while iterating, if an id is outside the
                avatar's range, after the frames before it.
            InvalidSetting: If ``max_inflight`` is below 1.
            UnknownModel: If the server has no such avatar loaded, while iterating.
        """
        frame_ids = self._checked_range(model_name, start, stop, max_inflight)
        return self._stream(model_name, frame_ids, max_inflight)

    def models(self) -> list[str]:
        """Return the names of the avatars that are loaded, sorted."""
        return avatar_names(self._send(self._transport.wire.models_call()))

    def metadata(self, model_name: str) -> AvatarMetadata:
        """Return what the server says about one avatar.

        Raises:
            UnknownModel: If the server has no such avatar loaded.
            InvalidAnswer: If its configuration lacks a fact.
        """
        wire = self._transport.wire
        frames_config = self._send(wire.config_call(frames_model(model_name), model_name))
        return parse_metadata(model_name, frames_config, self._send(wire.config_call(model_name, model_name)))

    def is_server_ready(self) -> bool:
        """Return whether a server answers within the deadline, and calls itself ready."""
        try:
            return self._send(self._transport.wire.ready_call())
        except (ServerUnavailable, InferTimeout):
            return False

    @staticmethod
    def _open_transport(settings: Settings) -> Transport:
        return open_transport(settings)

    def _stream(self, model_name: str, frame_ids: range, max_inflight: int) -> Iterator[Frame]:
        inflight: deque[Future[list[Frame]]] = deque()
        with ThreadPoolExecutor(max_inflight, thread_name_prefix="lipsync-stream") as executor:
            for frame_id in frame_ids:
                inflight.append(executor.submit(self._render, model_name, [frame_id]))
                if len(inflight) == max_inflight:
                    yield from inflight.popleft().result()
            while inflight:
                yield from inflight.popleft().result()

    def _render(self, model_name: str, frame_ids: Sequence[int]) -> list[Frame]:
        started = time.perf_counter()
        answer = self._send(self._transport.wire.infer_call(model_name, frame_ids))
        return parse_frames(model_name, frame_ids, answer, (time.perf_counter() - started) * 1000)

    def _max_batch_size(self, model_name: str) -> int:
        if model_name not in self._max_batch_sizes:
            config = self._send(self._transport.wire.config_call(model_name, model_name))
            self._max_batch_sizes[model_name] = max_batch_size(model_name, config)
        return self._max_batch_sizes[model_name]

    def _send(self, call: Call[T]) -> T:
        with self._translated(call.model_name):
            return self._transport.send(call)
