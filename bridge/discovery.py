"""Which Tritons there are: the addresses that were listed, and those that DNS gives for a ``dns:///`` name.

A host with IPv4 and IPv6 addresses counts by its IPv4 ones, else every dual-stack host would be two upstreams.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence

from bridge.errors import UnresolvableUpstream

__all__ = ["DNS_SCHEME", "Discovery", "Resolve", "lookup"]

DNS_SCHEME = "dns:///"
"""Begins an upstream that stands for all addresses of its name; gRPC's own spelling."""

LOOKUP_TIMEOUT_S = 5.0
RETRY_PAUSE_S = 0.2

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Takes host and port, returns addresses ``ip:port``, sorted, or raises OSError; see ``lookup``."""

logger = logging.getLogger(__name__)


async def lookup(host: str, port: int) -> list[str]:
    """Return all addresses of ``host`` as ``ip:port``, an IPv6 one in brackets, sorted.

    Raises:
        OSError: If the name cannot be resolved now; a TimeoutError when nobody says so in time.
    """
    loop = asyncio.get_running_loop()
    asking = loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    try:
        found = await asyncio.wait_for(asking, LOOKUP_TIMEOUT_S)
    except asyncio.TimeoutError as exc:  # not an OSError before Python 3.11
        raise TimeoutError(f"no answer within {LOOKUP_TIMEOUT_S:g} s") from exc
    except UnicodeError as exc:  # a label that is empty or too long for DNS
        raise OSError("not a host name") from exc
    ipv4 = {f"{address[0]}:{port}" for family, *_, address in found if family == socket.AF_INET}
    ipv6 = {f"[{address[0]}]:{port}" for family, *_, address in found if family == socket.AF_INET6}
    return sorted(ipv4 or ipv6)


class Discovery:
    """Turns the upstreams of the configuration into addresses, at the start and again whenever asked.

    Args:
        upstreams: ``host:port``, taken as they are, or ``dns:///host:port``.
        resolve: How names become addresses.

    Attributes:
        dynamic: Whether the addresses can change.
        failing: Names whose last lookup failed.
    """

    def __init__(self, upstreams: Sequence[str], resolve: Resolve = lookup) -> None:
        self.dynamic = any(upstream.startswith(DNS_SCHEME) for upstream in upstreams)
        self.failing: set[str] = set()
        self._upstreams = tuple(upstreams)
        self._resolve = resolve
        self._known: dict[str, list[str]] = {}

    async def start(self, timeout_s: float) -> list[str]:
        """Resolve every host name, asking again for up to ``timeout_s``, and return the addresses.

        A listed ``host:port`` is resolved, too, but only to tell a wrong name at once.

        Raises:
            UnresolvableUpstream: If a name cannot be resolved in time.
        """
        await asyncio.gather(*(self._resolve_in_time(upstream, timeout_s) for upstream in self._upstreams))
        return self._addresses()

    async def refresh(self) -> list[str]:
        """Look the ``dns:///`` names up again, and return the addresses; a failed lookup keeps the known ones."""
        for upstream in self._upstreams:
            if upstream.startswith(DNS_SCHEME):
                await self._look_up_again(upstream)
        return self._addresses()

    async def _resolve_in_time(self, upstream: str, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + timeout_s
        host, port = _split(upstream)
        while True:
            try:
                self._known[upstream] = await self._resolve(host, port)
                self.failing.discard(upstream)
                return
            except OSError as exc:
                if loop.time() + RETRY_PAUSE_S > deadline_s:
                    raise UnresolvableUpstream(upstream, _reason(exc)) from exc
                if upstream not in self.failing:
                    logger.warning("waiting for DNS: %s", UnresolvableUpstream(upstream, _reason(exc)))
                self.failing.add(upstream)
            await asyncio.sleep(RETRY_PAUSE_S)

    async def _look_up_again(self, upstream: str) -> None:
        try:
            self._known[upstream] = await self._resolve(*_split(upstream))
        except OSError as exc:
            if upstream not in self.failing:
                logger.warning("%s; its known addresses stay", UnresolvableUpstream(upstream, _reason(exc)))
            self.failing.add(upstream)
        else:
            self.failing.discard(upstream)

    def _addresses(self) -> list[str]:
        addresses: dict[str, None] = {}  # a set that keeps the order
        for upstream in self._upstreams:
            found = self._known[upstream] if upstream.startswith(DNS_SCHEME) else [upstream]
            addresses.update(dict.fromkeys(found))
        return list(addresses)


def _split(upstream: str) -> tuple[str, int]:
    host, _, port = upstream.removeprefix(DNS_SCHEME).rpartition(":")
    return host.strip("[]"), int(port)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
