"""Who asks: by address and, where tokens are asked for, by token."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Client", "counted_as"]

SITE_BITS = 64


@dataclass(frozen=True)
class Client:
    """One who asks.

    Attributes:
        address: The address that it is counted by, see ``counted_as``.
        token: What tells its token from others, never the token itself; empty where none was asked for.
    """

    address: str
    token: str = ""


@lru_cache(maxsize=4096)
def counted_as(address: str) -> str:
    """Return what an address is counted as: itself, and one of IPv6 as its network, of which everybody has plenty."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, SITE_BITS), strict=False))
