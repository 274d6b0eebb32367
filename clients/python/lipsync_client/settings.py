"""What a client is told once: where the server is, and how long to wait for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lipsync_client.errors import InvalidSetting, InvalidUrl

__all__ = ["Endpoint", "Settings", "parse_url"]

DEFAULT_PORTS = {"grpc": 8001, "http": 8000, "grpcs": 443, "https": 443}


@dataclass(frozen=True)
class Endpoint:
    """One server address.

    Attributes:
        scheme: ``grpc``, ``grpcs``, ``http`` or ``https``.
        host: Name or address, an IPv6 address without its brackets.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @property
    def is_grpc(self) -> bool:
        """Whether the transport is gRPC; otherwise it is HTTP."""
        return self.scheme.startswith("grpc")

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("grpcs", "https")

    @property
    def address(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.address}"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one client.

    Attributes:
        endpoint: The server.
        infer_timeout_s: Deadline for one request and its answer, connecting included, in seconds.
        connect_timeout_s: Deadline for opening a connection, looking its host up included, in seconds.
        root_certificates: PEM file of the authorities to trust instead of the system's, for TLS.

    Raises:
        InvalidSetting: If a deadline isn't a finite number above zero, or if the file isn't there.
    """

    endpoint: Endpoint
    infer_timeout_s: float = 5.0
    connect_timeout_s: float = 2.0
    root_certificates: str | None = None

    def __post_init__(self) -> None:
        for name in ("infer_timeout_s", "connect_timeout_s"):
            if not 0 < getattr(self, name) < math.inf:
                raise InvalidSetting(name, "a number of seconds above 0", getattr(self, name))
        if self.root_certificates is not None and not Path(self.root_certificates).is_file():
            raise InvalidSetting("root_certificates", "a PEM file", self.root_certificates)


def parse_url(url: str) -> Endpoint:
    """Read a server's URL; a bare ``host:port`` means gRPC.

    A missing port is Triton's own: 8001 for gRPC, 8000 for HTTP; with TLS it is 443.

    Raises:
        InvalidUrl: If scheme, host or port is missing or wrong, or if there is anything after the port.
    """
    try:
        parts = urlsplit(url if "://" in url else f"grpc://{url}")
        host, port = parts.hostname, parts.port
    except ValueError as exc:  # an unclosed bracket, a port that is no number
        raise InvalidUrl(url, str(exc)) from exc
    if parts.scheme not in DEFAULT_PORTS:
        raise InvalidUrl(url, f"the scheme must be one of {', '.join(DEFAULT_PORTS)}")
    if not host or port == 0:
        raise InvalidUrl(url, "the host is missing" if not host else "the port must be 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise InvalidUrl(url, "only scheme, host and port may be given")
    return Endpoint(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])
