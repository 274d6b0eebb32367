"""What moves a request to the server and its answer back: one interface, sync and asyncio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from lipsync_client.wire import Answer, Call

__all__ = ["AsyncTransport", "Transport", "Wire"]

T = TypeVar("T")


class Wire(Protocol):
    """A protocol's module: makes the calls its transports can send."""

    def ready_call(self) -> Call[bool]:
        """Ask whether the server is ready."""

    def models_call(self) -> Call[list[str]]:
        """Ask for the names of the models that are ready."""

    def config_call(self, model_name: str, avatar: str) -> Call[dict[str, Any]]:
        """Ask for a model's configuration."""

    def infer_call(self, model_name: str, frame_ids: Sequence[int]) -> Call[Answer]:
        """Ask an avatar for frames."""


class Transport(Protocol):
    """Connections to one server, usable from several threads at once.

    Attributes:
        wire: Makes the calls this transport can send.
        foreign: The exceptions ``send`` raises beside this package's own.
    """

    wire: Wire
    foreign: tuple[type[Exception], ...]

    def send(self, call: Call[T]) -> T:
        """Send the request, wait for the answer within the deadline, and return what it says."""

    def close(self) -> None:
        """Close every connection."""


class AsyncTransport(Protocol):
    """Connections to one server, for one event loop; attributes as in ``Transport``."""

    wire: Wire
    foreign: tuple[type[Exception], ...]

    async def send(self, call: Call[T]) -> T:
        """Send the request, wait for the answer within the deadline, and return what it says."""

    async def close(self) -> None:
        """Close every connection."""
