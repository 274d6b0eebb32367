"""Settings of the side that clients see: where the bridge listens, how much it takes at once, what it logs."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.logs import LOG_FORMATS
from bridge.settings.values import choice, integer, seconds, setting, text

__all__ = ["GRPC_OFF", "LOG_LEVELS", "METRICS_TOO", "FrontSettings"]

LOG_LEVELS = ("debug", "info", "warning", "error")
GRPC_OFF = -1
METRICS_TOO = -1


@dataclass(frozen=True, kw_only=True)
class FrontSettings:
    """Settings of what clients see; each field's meaning stands beside it, units are in the names."""

    host: str = setting("127.0.0.1", text, "address to listen on; 0.0.0.0 for every interface")
    port: int = setting(8086, integer(0, 65535), "port to listen on; 0: any free port")
    grpc_port: int = setting(
        50051, integer(GRPC_OFF, 65535), "port of the gRPC service; 0: any free port; -1: no gRPC service"
    )
    metrics_host: str = setting("127.0.0.1", text, "address that `BRIDGE_METRICS_PORT` is on")
    metrics_port: int = setting(
        METRICS_TOO,
        integer(METRICS_TOO, 65535),
        "port of its own for /metrics and /health, without tokens and TLS; 0: any free port; -1: `BRIDGE_PORT`",
    )
    workers: int = setting(
        1,
        integer(1, 64),
        "processes that share the ports, for as many cores; what one client may have at once, it may have in each",
    )
    max_inflight: int = setting(
        32, integer(1, 4096), "requests of one connection in flight before it is no longer read"
    )
    max_message_bytes: int = setting(4096, integer(64, 1 << 20), "longest request that is looked at")
    send_timeout_s: float = setting(
        30.0, seconds(0.01, 600), "how long a client may leave an answer unread before it is disconnected"
    )
    shutdown_timeout_s: float = setting(
        10.0, seconds(0.01, 600), "how long requests in flight have on SIGTERM"
    )
    log_level: str = setting("info", choice(LOG_LEVELS), "debug, info, warning or error")
    log_format: str = setting("text", choice(LOG_FORMATS), "text for people or json for programs")
