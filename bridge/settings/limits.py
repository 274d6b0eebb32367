"""Settings of how much clients may have at once, and for how long they may be silent."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.settings.values import integer, seconds, setting

__all__ = ["LimitSettings"]


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """Settings of limits; each field's meaning stands beside it, units are in the names."""

    max_connections: int = setting(
        4096, integer(1, 1_000_000), "connections at once; fewer where the system allows fewer descriptors"
    )
    connections_per_client: int = setting(
        256, integer(1, 1_000_000), "connections at once of one client address, or one token"
    )
    requests_per_client: int = setting(
        256,
        integer(1, 1_000_000),
        "requests in flight of one client address, or one token; each WebSocket has one beside them",
    )
    requests_max: int = setting(1024, integer(1, 1_000_000), "requests in flight of all clients together")
    head_timeout_s: float = setting(
        10.0, seconds(0.01, 600), "how long a request's head, or TLS, may take to arrive"
    )
    idle_timeout_s: float = setting(
        600.0,
        seconds(0.01, 86400),
        "how long a WebSocket's client may ask for nothing before it is disconnected",
    )
