"""The settings of an embedded Triton."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from embedded.control import make_secret, read_secret
from embedded.errors import BadSetting
from embedded.tls import GrpcTls

__all__ = ["PORTS_PER_PROCESS", "EmbeddedConfig"]

PORTS_PER_PROCESS = 10
MAX_PROCESSES = 20


@dataclass(frozen=True, kw_only=True)
class EmbeddedConfig:
    """Settings of one or several Triton processes on one model repository.

    Attributes:
        model_repository: The folder Triton loads models from.
        strategy: Config variant (``--model-config-name``), which a model takes if it has ``configs/<strategy>.pbtxt``;
            None keeps every model's ``config.pbtxt``.
        processes: Triton processes, 1 to 20; the ports of each are 10 above those of the one before.
        host: Address to listen on.
        http_port: First HTTP port; 0 picks free ports for everything.
        grpc_port: First gRPC port.
        metrics_port: First port of the Prometheus metrics.
        response_cache_bytes: Size of the response cache; used by models that ask for it. 0 switches it off.
        start_timeout_s: How long all models may take to load.
        stop_timeout_s: How long requests in flight may take at the end.
        control_secret_file: A file with the secret that model control asks for, so that Tritons can share one; None
            makes one at each start.
        grpc_tls_dir: A folder with ``tls.crt``, ``tls.key`` and ``ca.crt``: gRPC then speaks TLS with who shows a
            certificate of that authority's. Its own has to do for a server and for a client. None speaks no TLS.
        grpc_tls_name: The name in that certificate.
        extra_args: Further arguments for ``tritonserver``.
    """

    model_repository: Path
    strategy: str | None = None
    processes: int = 1
    host: str = "127.0.0.1"
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    response_cache_bytes: int = 256 * 1024 * 1024
    start_timeout_s: float = 120.0
    stop_timeout_s: float = 10.0
    control_secret_file: Path | None = None
    grpc_tls_dir: Path | None = None
    grpc_tls_name: str = ""
    extra_args: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what would otherwise fail late.

        Raises:
            BadSetting: If a value cannot work.
        """
        if not 1 <= self.processes <= MAX_PROCESSES:
            raise BadSetting("processes", f"1 to {MAX_PROCESSES}", self.processes)
        if not self.model_repository.is_dir():
            raise BadSetting("model_repository", "a folder", self.model_repository)
        if not any(self.model_repository.glob("*/config.pbtxt")):
            raise BadSetting(
                "model_repository", "a folder with <model>/config.pbtxt in it", self.model_repository
            )
        for key in ("response_cache_bytes", "start_timeout_s", "stop_timeout_s"):
            if getattr(self, key) < 0:
                raise BadSetting(key, "0 or more", getattr(self, key))
        self._check_strategy()
        self._check_ports()
        self.control_secret()
        self.grpc_tls()

    def ports(self) -> list[tuple[int, int, int]]:
        """Return the HTTP, gRPC and metrics port of every process; empty if free ones are to be picked."""
        first = self.http_port, self.grpc_port, self.metrics_port
        if 0 in first:
            return []
        offsets = range(0, PORTS_PER_PROCESS * self.processes, PORTS_PER_PROCESS)
        return [(first[0] + offset, first[1] + offset, first[2] + offset) for offset in offsets]

    def control_secret(self) -> str:
        """Return the secret of the given file, else a new one.

        Raises:
            BadSetting: If the file cannot be read, or holds no secret.
        """
        if self.control_secret_file is None:
            return make_secret()
        expected = "a file with 16 or more letters, digits, - and _"
        try:
            return read_secret(self.control_secret_file)
        except OSError as exc:
            got = f"{self.control_secret_file} ({(exc.strerror or str(exc)).lower()})"
            raise BadSetting("control_secret_file", expected, got) from exc
        except ValueError as exc:
            raise BadSetting("control_secret_file", expected, exc) from exc

    def grpc_tls(self) -> GrpcTls | None:
        """Return the certificates of the given folder, None if there is none.

        Raises:
            BadSetting: If a file of it cannot be used, or the name is missing.
        """
        if self.grpc_tls_dir is None:
            return None
        if not self.grpc_tls_name:
            raise BadSetting("grpc_tls_name", "the name in the certificate of grpc_tls_dir", "none")
        tls = GrpcTls(self.grpc_tls_dir.resolve(), self.grpc_tls_name)
        try:
            tls.check()
        except OSError as exc:
            expected = "a folder with tls.crt, tls.key and ca.crt, PEM files"
            raise BadSetting(
                "grpc_tls_dir", expected, f"{self.grpc_tls_dir} ({exc.strerror or exc})"
            ) from exc
        return tls

    def _check_strategy(self) -> None:
        known = sorted({path.stem for path in self.model_repository.glob("*/configs/*.pbtxt")})
        if self.strategy is not None and self.strategy not in known:
            expected = f"one of {', '.join(known)}" if known else "none, as no model has variants"
            raise BadSetting("strategy", expected, self.strategy)

    def _check_ports(self) -> None:
        for key in ("http_port", "grpc_port", "metrics_port"):
            last = getattr(self, key) + PORTS_PER_PROCESS * (self.processes - 1)
            if not 0 <= getattr(self, key) <= last < 65536:
                raise BadSetting(key, "ports within 0 to 65535 for every process", getattr(self, key))
        counts = Counter(port for ports in self.ports() for port in ports)
        for port, count in counts.items():
            if count > 1:
                raise BadSetting("ports", "each to be used once", f"{port} {count} times")
