"""Opens the transport of a URL's scheme; what a scheme needs is imported when it is asked for."""

from __future__ import annotations

from lipsync_client.errors import TransportNotInstalled
from lipsync_client.interfaces import AsyncTransport, Transport
from lipsync_client.settings import Settings

__all__ = ["open_async_transport", "open_transport"]


def open_transport(settings: Settings) -> Transport:
    """Return the transport of the URL's scheme; it connects when first used.

    Raises:
        TransportNotInstalled: If the scheme needs an extra that isn't installed.
    """
    if settings.endpoint.is_grpc:
        from lipsync_client.grpc_transport import GrpcTransport

        return GrpcTransport(settings)
    _require_http(settings)
    from lipsync_client.http_transport import HttpTransport

    return HttpTransport(settings)


def open_async_transport(settings: Settings) -> AsyncTransport:
    """Return the asyncio transport of the URL's scheme; it connects when first used.

    Raises:
        TransportNotInstalled: If the scheme needs an extra that isn't installed.
    """
    if settings.endpoint.is_grpc:
        from lipsync_client.grpc_transport import AsyncGrpcTransport

        return AsyncGrpcTransport(settings)
    _require_http(settings)
    from lipsync_client.http_transport import AsyncHttpTransport

    return AsyncHttpTransport(settings)


def _require_http(settings: Settings) -> None:
    try:
        import aiohttp  # noqa: F401
        import tritonclient.http  # noqa: F401
    except (ImportError, RuntimeError) as exc:  # tritonclient says RuntimeError when its extra is missing
        raise TransportNotInstalled(settings.endpoint.scheme, "http") from exc
