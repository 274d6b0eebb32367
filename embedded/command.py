"""The ``tritonserver`` command line of one process, and the ports it listens on."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path

from embedded.config import PORTS_PER_PROCESS, EmbeddedConfig
from embedded.errors import PortInUse
from embedded.installation import Installation

__all__ = ["Server", "assign_ports", "build_command"]

GPU_CONTROL_DEVICE = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class Server:
    """Where one Triton process answers.

    Attributes:
        host: The address it listens on.
        http_port: HTTP/REST.
        grpc_port: gRPC.
        metrics_port: Prometheus metrics.
    """

    host: str
    http_port: int
    grpc_port: int
    metrics_port: int

    @property
    def http_url(self) -> str:
        """``host:port``, as tritonclient.http takes it."""
        return f"{self.host}:{self.http_port}"

    @property
    def grpc_url(self) -> str:
        """``host:port``, as tritonclient.grpc takes it."""
        return f"{self.host}:{self.grpc_port}"

    @property
    def metrics_url(self) -> str:
        """``http://host:port/metrics``."""
        return f"http://{self.host}:{self.metrics_port}/metrics"


def assign_ports(config: EmbeddedConfig) -> list[Server]:
    """Return the address of every process.

    Raises:
        PortInUse: If something listens on one of the ports already.
    """
    if 0 in (config.http_port, config.grpc_port, config.metrics_port):
        return _free_servers(config)
    servers = [
        Server(config.host, *(port + PORTS_PER_PROCESS * index for port in _first_ports(config)))
        for index in range(config.processes)
    ]
    for server in servers:
        for port in (server.http_port, server.grpc_port, server.metrics_port):
            _check_free(server.host, port)
    return servers


def _first_ports(config: EmbeddedConfig) -> tuple[int, int, int]:
    return config.http_port, config.grpc_port, config.metrics_port


def _free_servers(config: EmbeddedConfig) -> list[Server]:
    """Ask the system for free ports; all are held until the last is known, so none is handed out twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(3 * config.processes)]
        for sock in sockets:
            sock.bind((config.host, 0))
        ports = [sock.getsockname()[1] for sock in sockets]
    return [Server(config.host, *ports[index : index + 3]) for index in range(0, len(ports), 3)]


def _check_free(host: str, port: int) -> None:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as exc:
            raise PortInUse(host, port) from exc


def build_command(
    config: EmbeddedConfig, server: Server, installation: Installation, backends: Path, shm_prefix: str
) -> list[str]:
    """Return the arguments, the binary first, for one process."""
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
        *config.extra_args,
    ]
