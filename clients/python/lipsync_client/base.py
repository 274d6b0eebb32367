"""What the sync and the asyncio client share: settings, checks and the translation of failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from lipsync_client.errors import ClientClosed, InvalidSetting
from lipsync_client.failures import translate
from lipsync_client.interfaces import AsyncTransport, Transport
from lipsync_client.settings import Settings, parse_url
from lipsync_client.wire import checked_frame_ids

__all__ = ["BaseClient"]

AnyTransport = TypeVar("AnyTransport", Transport, AsyncTransport)


class BaseClient(Generic[AnyTransport]):
    """A client before it knows how to wait.

    Args:
        url: ``grpc://host:8001`` (or a bare ``host:8001``) or ``http://host:8000``; ``grpcs://`` and
            ``https://`` for TLS.
        infer_timeout_s: Deadline for one request and its answer, connecting included, in seconds.
        connect_timeout_s: Deadline for opening a connection, looking its host up included, in seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.

    Raises:
        InvalidUrl: If the URL names no server of a known scheme.
        InvalidSetting: If a deadline isn't above zero, or if the PEM file is none.
        TransportNotInstalled: If the scheme needs an extra that isn't installed.
    """

    def __init__(
        self,
        url: str,
        *,
        infer_timeout_s: float = 5.0,
        connect_timeout_s: float = 2.0,
        root_certificates: str | None = None,
    ) -> None:
        self._settings = Settings(
            endpoint=parse_url(url),
            infer_timeout_s=infer_timeout_s,
            connect_timeout_s=connect_timeout_s,
            root_certificates=root_certificates,
        )
        self._transport: AnyTransport = self._open_transport(self._settings)
        self._closed = False
        self._max_batch_sizes: dict[str, int] = {}

    @property
    def url(self) -> str:
        """The server's URL, with scheme and port spelled out."""
        return str(self._settings.endpoint)

    @staticmethod
    def _open_transport(settings: Settings) -> AnyTransport:
        """Return the transport of the endpoint's scheme, of the kind the client waits with."""
        raise NotImplementedError

    @contextmanager
    def _translated(self, model_name: str | None) -> Iterator[None]:
        """Raise this package's errors in place of the transport's, also when closed meanwhile."""
        self._check_open()
        try:
            yield
        except self._transport.foreign as exc:
            if self._closed:
                raise ClientClosed(self.url) from exc
            raise translate(exc, self._settings, model_name) from exc

    def _check_open(self) -> None:
        if self._closed:
            raise ClientClosed(self.url)

    def _checked_range(self, model_name: str, start: int, stop: int, max_inflight: int) -> range:
        """Check what ``stream`` was given, before its first frame is asked for."""
        self._check_open()
        if max_inflight < 1:
            raise InvalidSetting("max_inflight", "at least 1", max_inflight)
        return range(*checked_frame_ids(model_name, (start, stop)))
