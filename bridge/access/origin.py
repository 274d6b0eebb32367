"""Which browsers' requests are answered: those that a page of the bridge sends, or of a site that is on a list.

A page of any site can open a WebSocket to an address that its visitor can reach, and read what comes: the browser says
in ``Origin`` which page it is, and leaves the decision to the server. And a site can have its own name lead to
the visitor's machine (DNS rebinding), so that its pages have the bridge's origin: that name stands in ``Host``. Who is
no browser sends no ``Origin``, and is not held up by either.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from websockets.datastructures import Headers

from bridge.access.errors import ForeignOrigin, WrongHost

__all__ = ["OriginRules"]

HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@?#\[\]]+)(?::([0-9]{0,5}))?")
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
OTHER_SITES = ("cross-site", "same-site")


class OriginRules:
    """What ``Host`` and ``Origin`` may be.

    Args:
        hosts: Names that lead to the bridge, beside localhost, IP addresses and the machine's own name;
            ``*.example.org`` stands for all names below it, ``*`` for any.
        origins: Sites whose pages may ask the bridge, as browsers write them: ``https://example.org``.
    """

    def __init__(self, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = {_plain(host) for host in hosts} | {_plain(socket.gethostname())}
        self._origins = {origin.lower() for origin in origins}

    def check(self, headers: Headers) -> None:
        """Check a request, WebSocket handshake or not.

        Raises:
            WrongHost: If it asks under a name that is not the bridge's.
            ForeignOrigin: If a page of another site sends it, or has an image or a script fetched.
        """
        host = ", ".join(headers.get_all("Host"))
        if host and not self._is_ours(host):
            raise WrongHost(host)
        origin = ", ".join(headers.get_all("Origin"))
        if origin:
            if not self.is_listed(headers) and not _is_same(origin, host):
                raise ForeignOrigin(origin)
        elif _is_embedded(headers):
            raise ForeignOrigin("")

    def is_listed(self, headers: Headers) -> bool:
        """Return whether a page of a site on the list asks."""
        return ", ".join(headers.get_all("Origin")).lower() in self._origins

    def _is_ours(self, host: str) -> bool:
        match = HOST.fullmatch(host)
        if match is None:
            return False
        name = _plain(match.group(1))
        if name == "localhost" or name.endswith(".localhost") or _is_address(name):
            return True
        above = {f"*.{name.split('.', count)[-1]}" for count in range(1, name.count(".") + 1)}
        return not self._hosts.isdisjoint({name, "*", *above})


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    """Return whether a page of ``origin`` came from ``host``; a proxy in between may have made another scheme of it."""
    match = HOST.fullmatch(host)
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if match is None or parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        return False
    default = DEFAULT_PORTS[parts.scheme]
    asked = int(match.group(2)) if match.group(2) else default
    return (_plain(parts.hostname), port or default) == (_plain(match.group(1)).strip("[]"), asked)


def _is_embedded(headers: Headers) -> bool:
    """Return whether a page of another site has the browser fetch something, without reading it itself."""
    return headers.get("Sec-Fetch-Site") in OTHER_SITES and headers.get("Sec-Fetch-Mode") != "navigate"
