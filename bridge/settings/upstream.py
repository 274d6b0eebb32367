"""Settings of the Tritons behind the bridge: where they are, how they are asked, what they are trusted with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import ConfigError
from bridge.settings.values import choice, integer, optional_text, seconds, setting

__all__ = ["MAX_UPSTREAMS", "POLICIES", "UpstreamSettings"]

POLICIES = ("least_inflight", "round_robin")
MAX_UPSTREAMS = 20
DEFAULT_UPSTREAMS = ("localhost:8001",)
DEFAULT_START_PORT = 8001
DEFAULT_PORT_STEP = 10
ADDRESS = re.compile(r"(?:dns:///)?(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")


def _upstreams(key: str, given: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in given.split(",") if part.strip())
    if not 1 <= len(addresses) <= MAX_UPSTREAMS:
        raise ConfigError(
            key, f"1 to {MAX_UPSTREAMS} addresses host:port, separated by commas", len(addresses) or given
        )
    for address in addresses:
        match = ADDRESS.fullmatch(address)
        if match is None or not 1 <= int(match.group(1)) <= 65535:
            raise ConfigError(key, "addresses host:port or dns:///host:port", address)
        if addresses.count(address) > 1:
            raise ConfigError(key, "every address once", f"{address} {addresses.count(address)} times")
    return addresses


@dataclass(frozen=True, kw_only=True)
class UpstreamSettings:
    """Settings of the Tritons; each field's meaning stands beside it, units are in the names."""

    upstreams: tuple[str, ...] = setting(
        DEFAULT_UPSTREAMS,
        _upstreams,
        "Triton gRPC addresses, 1 to 20, separated by commas; host:port, or dns:///host:port: all that DNS gives",
    )
    num_servers: int = setting(
        0,
        integer(0, MAX_UPSTREAMS),
        "how many Tritons of this machine to use in place of `BRIDGE_UPSTREAMS`; 0: use `BRIDGE_UPSTREAMS`",
    )
    start_port: int = setting(
        DEFAULT_START_PORT, integer(1, 65535), "gRPC port of the first Triton of `BRIDGE_NUM_SERVERS`"
    )
    port_step: int = setting(
        DEFAULT_PORT_STEP,
        integer(1, 1000),
        "step from the port of one Triton to that of the next; `embedded` starts them 10 apart",
    )
    policy: str = setting(
        "least_inflight",
        choice(POLICIES),
        "which ready upstream is next: least_inflight, where a slow one's calls weigh more, or round_robin",
    )
    triton_secret_file: str = setting(
        "", optional_text, "file whose first line is the secret of Triton's restricted calls; empty: none"
    )
    infer_timeout_s: float = setting(5.0, seconds(0.001, 600), "deadline of one call to Triton")
    queue_wait_s: float = setting(
        0.1,
        seconds(0.001, 600),
        "how long a frame may wait for its turn while other clients' do, too; a slow model's, as long as one takes",
    )
    probe_interval_s: float = setting(0.5, seconds(0.01, 60), "pause between two probes of an upstream")
    probe_timeout_s: float = setting(1.0, seconds(0.01, 60), "deadline of one probe")
    dns_interval_s: float = setting(2.0, seconds(0.01, 3600), "pause between two lookups of a dns:/// name")
    resolve_timeout_s: float = setting(
        5.0, seconds(0, 600), "how long a host name may stay unresolvable at the start"
    )
    require_ready_s: float = setting(
        0.0,
        seconds(0, 3600),
        "how long the first Triton may take to be ready, else the bridge ends; 0: start without waiting",
    )
    metadata_ttl_s: float = setting(
        5.0, seconds(0, 3600), "how long a model's frame count, rate, bounds and version are remembered"
    )

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where Triton is: ``upstreams``, or ``num_servers`` on this machine."""
        if not self.num_servers:
            return self.upstreams
        return tuple(f"localhost:{self.start_port + i * self.port_step}" for i in range(self.num_servers))

    def read_triton_secret(self) -> str:
        """Return the secret that Triton wants to be shown, empty if there is none.

        Raises:
            ConfigError: If its file cannot be read, or its first line cannot be sent.
        """
        if not self.triton_secret_file:
            return ""
        try:
            line, *_ = [*Path(self.triton_secret_file).read_text(encoding="ascii").splitlines(), ""]
        except (OSError, UnicodeDecodeError) as exc:
            reason = f"{self.triton_secret_file} ({getattr(exc, 'strerror', None) or 'not text'})"
            raise ConfigError("triton_secret_file", "a file with the secret in it", reason) from exc
        if not re.fullmatch(r"[!-~]+", line.strip()):  # the line itself is told to nobody
            raise ConfigError(
                "triton_secret_file",
                "printable characters in the first line",
                f"others in {self.triton_secret_file}",
            )
        return line.strip()

    def check_upstreams(self) -> None:
        """Check what only several settings together can be wrong about.

        Raises:
            ConfigError: If they contradict each other, or the secret cannot be read.
        """
        if self.num_servers and self.upstreams != DEFAULT_UPSTREAMS:
            raise ConfigError("num_servers", "either it or upstreams", self.num_servers)
        if not self.num_servers and (self.start_port, self.port_step) != (
            DEFAULT_START_PORT,
            DEFAULT_PORT_STEP,
        ):
            raise ConfigError("num_servers", "1 to 20 beside start_port or port_step", self.num_servers)
        last_port = self.start_port + (self.num_servers - 1) * self.port_step
        if last_port > 65535:
            raise ConfigError("start_port", f"ports up to 65535 for {self.num_servers} servers", last_port)
        self.read_triton_secret()
