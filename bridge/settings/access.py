"""Settings of who may ask the bridge."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.settings.values import optional_text, setting

__all__ = ["AccessSettings"]

NAME = re.compile(r"\*|(?:\*\.)?[^\s:/*,\[\]@?#]+")
ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://(?:[^\s:/*,\[\]@?#]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE
)


def _names(key: str, given: str) -> tuple[str, ...]:
    names = tuple(part.strip() for part in given.split(",") if part.strip())
    for name in names:
        if not NAME.fullmatch(name):
            raise ConfigError(key, "host names without port, separated by commas", name)
    return names


def _origins(key: str, given: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in given.split(",") if part.strip())
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ConfigError(key, "origins such as https://example.org, separated by commas", origin)
    return origins


def _networks(key: str, given: str) -> tuple[str, ...]:
    networks = tuple(part.strip() for part in given.split(",") if part.strip())
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as exc:
            raise ConfigError(
                key, "addresses or networks such as 10.0.0.0/8, separated by commas", network
            ) from exc
    return networks


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """Settings of access; each field's meaning stands beside it, units are in the names."""

    allowed_hosts: tuple[str, ...] = setting(
        (),
        _names,
        "names that clients may call the bridge by, separated by commas, beside localhost, IP addresses and the "
        "machine's name; *.example.org: all below it; *: any",
    )
    allowed_origins: tuple[str, ...] = setting(
        (),
        _origins,
        "sites whose pages may ask the bridge, beside its own page: https://example.org, separated by commas",
    )
    tokens_file: str = setting(
        "",
        optional_text,
        "file with NAME SECRET in each line: who shows none of them, or a token signed with one, is refused; empty: "
        "nobody is",
    )
    tls_cert_file: str = setting(
        "",
        optional_text,
        "PEM file of the bridge's certificate and those above it, for HTTP, WebSocket and gRPC; empty: no TLS",
    )
    tls_key_file: str = setting("", optional_text, "PEM file of its private key")
    triton_ca_file: str = setting(
        "",
        optional_text,
        "PEM file of the authorities that Triton's certificate is checked with; empty: Triton is asked without TLS",
    )
    triton_cert_file: str = setting(
        "", optional_text, "PEM file of the certificate that the bridge shows to Triton; empty: none"
    )
    triton_key_file: str = setting("", optional_text, "PEM file of its private key")
    triton_tls_name: str = setting(
        "",
        optional_text,
        "the name in Triton's certificate where it is not that of its address, as with dns:///",
    )
    trusted_proxies: tuple[str, ...] = setting(
        (),
        _networks,
        "addresses or networks, separated by commas, whose `X-Forwarded-For` says who a client is",
    )

    def check_access(self) -> None:
        """Check what only several settings together can be wrong about.

        Raises:
            ConfigError: If one of two settings is there that need each other.
        """
        for one, other in (
            ("tls_cert_file", "tls_key_file"),
            ("triton_cert_file", "triton_key_file"),
        ):
            if bool(getattr(self, one)) != bool(getattr(self, other)):
                missing, there = (one, other) if getattr(self, other) else (other, one)
                raise ConfigError(missing, f"a PEM file beside {there}", getattr(self, missing))
        for name in ("triton_cert_file", "triton_tls_name"):
            if getattr(self, name) and not self.triton_ca_file:
                raise ConfigError("triton_ca_file", f"a PEM file beside {name}", self.triton_ca_file)
