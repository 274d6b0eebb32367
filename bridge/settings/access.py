"""Settings of who may ask the bridge."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridge.errors import ConfigError
from bridge.settings.values import setting

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
