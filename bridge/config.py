"""The settings of one bridge process: one frozen object, read from environment and argv in one function.

A field ``infer_timeout_s`` is the variable ``BRIDGE_INFER_TIMEOUT_S`` and the flag ``--infer-timeout-s``; the
flag wins.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import ConfigError
from bridge.logs import LOG_FORMATS

__all__ = [
    "GRPC_OFF",
    "IMPORT_OFF",
    "LOG_LEVELS",
    "MAX_UPSTREAMS",
    "POLICIES",
    "BridgeConfig",
    "env_name",
    "flag_name",
    "load_config",
]

ADMISSIONS = ("measured", "off")
POLICIES = ("round_robin", "least_inflight")
LOG_LEVELS = ("debug", "info", "warning", "error")
MAX_UPSTREAMS = 20
GRPC_OFF = -1
IMPORT_OFF = "off"
DEFAULT_UPSTREAMS = ("localhost:8001",)
DEFAULT_START_PORT = 8001
DEFAULT_PORT_STEP = 10
FORMER_NAMES = {"upstreams": "backends"}
"""Fields of BridgeConfig whose variable and flag had another name, which goes on working."""

ADDRESS = re.compile(r"(?:dns:///)?(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):([0-9]{1,5})")

Parse = Callable[[str, str], Any]
"""Takes a setting's key and text, returns its value or raises ConfigError."""


def _parse_upstreams(key: str, text: str) -> tuple[str, ...]:
    addresses = tuple(part.strip() for part in text.split(",") if part.strip())
    if not 1 <= len(addresses) <= MAX_UPSTREAMS:
        raise ConfigError(
            key, f"1 to {MAX_UPSTREAMS} addresses host:port, separated by commas", len(addresses) or text
        )
    for address in addresses:
        match = ADDRESS.fullmatch(address)
        if match is None or not 1 <= int(match.group(1)) <= 65535:
            raise ConfigError(key, "addresses host:port or dns:///host:port", address)
        if addresses.count(address) > 1:
            raise ConfigError(key, "every address once", f"{address} {addresses.count(address)} times")
    return addresses


def _parse_text(key: str, text: str) -> str:
    if not text.strip():
        raise ConfigError(key, "a name or an address", text)
    return text.strip()


def _parse_optional(key: str, text: str) -> str:
    return text.strip()


def _integer(low: int, high: int) -> Parse:
    def parse(key: str, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text.strip()) or not low <= int(text) <= high:
            raise ConfigError(key, f"an integer from {low} to {high}", text)
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Parse:
    def parse(key: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:  # false for nan, too
            raise ConfigError(key, f"seconds from {low:g} to {high:g}", text)
        return value

    return parse


def _choice(names: Sequence[str]) -> Parse:
    def parse(key: str, text: str) -> str:
        if text not in names:
            raise ConfigError(key, f"one of {', '.join(names)}", text)
        return text

    return parse


def _setting(default: object, parse: Parse, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"parse": parse, "meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class BridgeConfig:
    """Settings of one bridge process; each field's meaning stands beside it, units are in the names."""

    upstreams: tuple[str, ...] = _setting(
        DEFAULT_UPSTREAMS,
        _parse_upstreams,
        "Triton gRPC addresses, 1 to 20, separated by commas; host:port, or dns:///host:port: all that DNS gives",
    )
    num_servers: int = _setting(
        0,
        _integer(0, MAX_UPSTREAMS),
        "how many Tritons of this machine to use in place of `BRIDGE_UPSTREAMS`; 0: use `BRIDGE_UPSTREAMS`",
    )
    start_port: int = _setting(
        DEFAULT_START_PORT, _integer(1, 65535), "gRPC port of the first Triton of `BRIDGE_NUM_SERVERS`"
    )
    port_step: int = _setting(
        DEFAULT_PORT_STEP,
        _integer(1, 1000),
        "step from the port of one Triton to that of the next; `embedded` starts them 10 apart",
    )
    host: str = _setting("127.0.0.1", _parse_text, "address to listen on; 0.0.0.0 for every interface")
    port: int = _setting(8086, _integer(0, 65535), "port to listen on; 0: any free port")
    grpc_port: int = _setting(
        50051, _integer(GRPC_OFF, 65535), "port of the gRPC service; 0: any free port; -1: no gRPC service"
    )
    policy: str = _setting(
        "round_robin", _choice(POLICIES), "which ready upstream is next: round_robin or least_inflight"
    )
    triton_secret_file: str = _setting(
        "", _parse_optional, "file whose first line is the secret of Triton's restricted calls; empty: none"
    )
    infer_timeout_s: float = _setting(5.0, _seconds(0.001, 600), "deadline of one call to Triton")
    probe_interval_s: float = _setting(0.5, _seconds(0.01, 60), "pause between two probes of an upstream")
    probe_timeout_s: float = _setting(1.0, _seconds(0.01, 60), "deadline of one probe")
    dns_interval_s: float = _setting(2.0, _seconds(0.01, 3600), "pause between two lookups of a dns:/// name")
    resolve_timeout_s: float = _setting(
        5.0, _seconds(0, 600), "how long a host name may stay unresolvable at the start"
    )
    require_ready_s: float = _setting(
        0.0,
        _seconds(0, 3600),
        "how long the first Triton may take to be ready, else the bridge ends; 0: start without waiting",
    )
    metadata_ttl_s: float = _setting(
        5.0, _seconds(0, 3600), "how long a model's frame count, rate, bounds and version are remembered"
    )
    max_inflight: int = _setting(
        32, _integer(1, 4096), "requests of one connection in flight before it is no longer read"
    )
    max_message_bytes: int = _setting(4096, _integer(64, 1 << 20), "longest request that is looked at")
    send_timeout_s: float = _setting(
        30.0, _seconds(0.01, 600), "how long a client may leave an answer unread before it is disconnected"
    )
    shutdown_timeout_s: float = _setting(
        10.0, _seconds(0.01, 600), "how long requests in flight have on SIGTERM"
    )
    speech_sessions_max: int = _setting(200, _integer(0, 10_000), "live sessions at once; 0 refuses all")
    speech_sessions_per_client: int = _setting(
        16, _integer(1, 10_000), "live sessions at once of one client address"
    )
    speech_admission: str = _setting(
        "measured",
        _choice(ADMISSIONS),
        "measured: no more live sessions than Triton can paint for; off: up to `BRIDGE_SPEECH_SESSIONS_MAX`",
    )
    speech_lead_s: float = _setting(
        2.0, _seconds(0.1, 60), "how long before it is due a live picture may be made"
    )
    speech_held_s: float = _setting(
        60.0, _seconds(1, 3600), "how much sound of a live session may wait to be shown"
    )
    speech_timeout_s: float = _setting(
        2.0, _seconds(0.01, 600), "deadline of one call to Triton for a live session"
    )
    speech_idle_timeout_s: float = _setting(
        300.0, _seconds(0.01, 86400), "how long the client of a live session may send nothing"
    )
    packages_dir: str = _setting(
        IMPORT_OFF, _parse_text, "folder whose packages gRPC's LoadPackage may import; off: none"
    )
    avatars_dir: str = _setting("avatars", _parse_text, "folder that imported avatars are kept in")
    model_repository: str = _setting(
        "model_repository", _parse_text, "folder that their models are written to: the one Triton reads"
    )
    import_timeout_s: float = _setting(
        600.0, _seconds(0.01, 86400), "how long an import, and loading it, may take"
    )
    log_level: str = _setting("info", _choice(LOG_LEVELS), "debug, info, warning or error")
    log_format: str = _setting("text", _choice(LOG_FORMATS), "text for people or json for programs")

    def __post_init__(self) -> None:
        """Check what was given in code the way text is checked.

        Raises:
            ConfigError: If a value is not what its setting can be.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            field.metadata["parse"](field.name, ",".join(value) if isinstance(value, tuple) else str(value))
        self._check_servers()
        self.read_triton_secret()
        self._check_import()

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

    def _check_import(self) -> None:
        if self.packages_dir == IMPORT_OFF:
            return
        if not Path(self.packages_dir).is_dir():
            raise ConfigError("packages_dir", "a folder, or off", self.packages_dir)
        if not os.access(self.model_repository, os.W_OK):
            raise ConfigError("model_repository", "a folder that can be written", self.model_repository)

    def _check_servers(self) -> None:
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


def env_name(field_name: str) -> str:
    """Return the environment variable of a field of BridgeConfig."""
    return f"BRIDGE_{field_name.upper()}"


def flag_name(field_name: str) -> str:
    """Return the command-line flag of a field of BridgeConfig."""
    return f"--{field_name.replace('_', '-')}"


def load_config(
    argv: Sequence[str], environ: Mapping[str, str], prog: str = "python -m bridge"
) -> BridgeConfig:
    """Read the settings from the arguments and, where those say nothing, from the environment.

    Args:
        argv: Arguments, without the program's name.
        environ: Environment variables; an empty one counts as absent.
        prog: How the program is called, for its usage.

    Raises:
        ConfigError: If a value is not what its setting can be.
        SystemExit: With 2 for an argument that does not exist, with 0 after ``--help``.
    """
    arguments = vars(_parser(prog).parse_args(argv))
    values: dict[str, Any] = {}
    for field in dataclasses.fields(BridgeConfig):
        variables = [name for name in map(env_name, _names(field.name)) if environ.get(name)]
        if arguments[field.name] is not None:
            values[field.name] = field.metadata["parse"](flag_name(field.name), arguments[field.name])
        elif variables:
            values[field.name] = field.metadata["parse"](variables[0], environ[variables[0]])
    return BridgeConfig(**values)


def _names(field_name: str) -> list[str]:
    """Return what a field is called, and what it was called before."""
    return [field_name, *filter(None, [FORMER_NAMES.get(field_name)])]


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="WebSocket bridge to Triton: binary frames and JSON, the page, health and metrics.",
        allow_abbrev=False,
    )
    for field in dataclasses.fields(BridgeConfig):
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        parser.add_argument(
            *map(flag_name, _names(field.name)),
            dest=field.name,
            metavar="VALUE",
            help=f"{field.metadata['meaning']} (default {default}; {env_name(field.name)})",
        )
    return parser
