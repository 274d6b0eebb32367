"""The ``tritonserver`` command line of one process, and where it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from embedded.config import EmbeddedConfig
from embedded.control import GRPC_METADATA, HTTP_HEADER, restrictions
from embedded.guard import SECRET_PLACE
from embedded.installation import Installation
from embedded.tls import GrpcTls

__all__ = ["Server", "build_command"]

GPU_CONTROL_DEVICE = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class Server:
    """Where one Triton process answers.

    Attributes:
        host: The address it listens on.
        http_port: HTTP/REST.
        grpc_port: gRPC.
        metrics_port: Prometheus metrics.
        secret: What it asks of those who load models; never shown.
        tls: The certificates of its gRPC, None if it speaks no TLS.
    """

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int
    secret: str = field(default="", repr=False)
    tls: GrpcTls | None = None

    @property
    def http_url(self) -> str:
        """``host:port``, as tritonclient.http takes it."""
        return f"{self.host}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """``host:port``, as tritonclient.grpc takes it."""
        return f"{self.host}:{self.grpc_port}"

    def grpc_channel(self, options: Sequence[tuple[str, Any]] = ()) -> grpc.aio.Channel:
        """Return a new channel, with TLS where it speaks that."""
        if self.tls is not None:
            return self.tls.channel(self.grpc_url, options)
        return grpc.aio.insecure_channel(self.grpc_url, list(options))

    @property
    def metrics_url(self) -> str:
        """``http://host:port/metrics``."""
        return f"http://{self.host}:{self.metrics_port}/metrics"

    @property
    def http_control(self) -> dict[str, str]:
        """The header that model control asks for over HTTP."""
        return {HTTP_HEADER: self.secret}

    @property
    def grpc_control(self) -> dict[str, str]:
        """The metadata that model control asks for over gRPC: ``headers`` of tritonclient.grpc."""
        return {GRPC_METADATA: self.secret}


def build_command(
    config: EmbeddedConfig,
    server: Server,
    installation: Installation,
    backends: Path,
    shm_prefix: str,
    forgiving: bool = False,
) -> list[str]:
    """Return the arguments, the binary first, for one process; the guard puts the secret where its place is.

    A ``forgiving`` process serves without the models that cannot be loaded, which otherwise end it.
    """
    options = {
        "model-repository": config.model_repository.resolve(),
        "backend-directory": backends,
        "http-address": server.host,
        "http-port": server.http_port,
        "grpc-address": server.host,
        "grpc-port": server.grpc_port,
        "metrics-address": server.host,
        "metrics-port": server.metrics_port,
        "model-control-mode": "explicit",  # models come and go through the repository API
        "load-model": "*",
        # else one avatar that loads, or fails to, makes the whole server look away from all others
        "strict-readiness": "false",
        "exit-on-error": str(not forgiving).lower(),
        "exit-timeout-secs": int(config.stop_timeout_s),
        "backend-config": f"python,shm-region-prefix-name={shm_prefix}",
        "allow-gpu-metrics": str(GPU_CONTROL_DEVICE.exists()).lower(),
    }
    if config.strategy:
        options["model-config-name"] = config.strategy
    if config.response_cache_bytes:
        options["cache-directory"] = installation.caches
        options["cache-config"] = f"local,size={config.response_cache_bytes}"
    flags = ["--disable-auto-complete-config"]  # ours are complete, and guessing starts every stub twice
    return [
        str(installation.server),
        *(f"--{key}={value}" for key, value in options.items()),
        *flags,
        *restrictions(SECRET_PLACE),
        *(server.tls.arguments() if server.tls else ()),
        *config.extra_args,
    ]
