"""Who is let in: from which page, under which name, with which token."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs

from bridge.access.client import Client, counted_as
from bridge.access.errors import Unauthorized
from bridge.access.origin import OriginRules
from bridge.access.tokens import Key, read_keys, verify, verify_signed
from bridge.access.watched_file import Watched
from bridge.config import BridgeConfig
from bridge.errors import ConfigError
from bridge.front.head import Head

__all__ = ["SUBPROTOCOL_PREFIX", "Door", "load_keys"]

BEARER = "bearer "
QUERY_KEY = "token"
SUBPROTOCOL_PREFIX = "lipsync.token."
"""A browser cannot set headers of a WebSocket, but offers subprotocols: this and the token is one of them."""


def load_keys(path: str) -> Watched[tuple[Key, ...]]:
    """Return the keys in a file, and those that are in it later.

    Raises:
        ConfigError: If it cannot be read, or has no keys in it.
    """

    def read() -> tuple[Key, ...]:
        try:
            return read_keys("tokens_file", Path(path).read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as exc:
            reason = f"{path} ({getattr(exc, 'strerror', None) or 'not text'})"
            raise ConfigError("tokens_file", "a file with a NAME and a SECRET in each line", reason) from exc

    return Watched([path], read)


class Door:
    """Lets in who may ask, and says who that is.

    Raises:
        ConfigError: If there is to be a file of tokens, and it cannot be used.

    Attributes:
        origin_rules: Which pages may ask.
        asks_for_tokens: Whether a token has to be shown.
    """

    def __init__(self, config: BridgeConfig) -> None:
        self.origin_rules = OriginRules(config.allowed_hosts, config.allowed_origins)
        self._keys = load_keys(config.tokens_file) if config.tokens_file else None
        self._proxies = [ipaddress.ip_network(proxy) for proxy in config.trusted_proxies]

    @property
    def asks_for_tokens(self) -> bool:
        """Whether a token has to be shown."""
        return self._keys is not None

    def check(self, head: Head, peer: Client, is_open: bool) -> Client:
        """Return who sends a request.

        Args:
            head: The request.
            peer: Whose connection it is.
            is_open: Whether no token is needed for what is asked.

        Raises:
            WrongHost: If it asks under a name that is not the bridge's.
            ForeignOrigin: If a page of another site asks.
            Unauthorized: If it shows no token that is valid now, and should.
        """
        self.origin_rules.check(head.headers)
        address = self.address_of(peer.address, head.field("X-Forwarded-For"))
        if is_open or self._keys is None:
            return Client(address)
        return Client(address, self._bearer(head, self._keys.value))

    def check_bearer(self, authorization: Sequence[str], address: str, is_open: bool) -> Client:
        """Return who calls over gRPC; ``authorization`` is the metadata of that name.

        Raises:
            Unauthorized: If it shows no token that is valid now, and should.
        """
        if is_open or self._keys is None:
            return Client(address)
        return Client(address, verify(_secret_of(", ".join(authorization)), self._keys.value, time.time()))

    def address_of(self, peer: str, forwarded: str) -> str:
        """Return whose request it is: the peer's, or whose the last proxy that is trusted says it is."""
        address = peer
        for hop in reversed([part.strip() for part in forwarded.split(",")]):
            if not hop or not self._is_proxy(address):
                break
            address = counted_as(hop.strip("[]"))
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_network(address)
        except ValueError:
            return False
        return any(
            parsed.version == proxy.version and parsed.subnet_of(proxy)  # type: ignore[arg-type]
            for proxy in self._proxies
        )

    def _bearer(self, head: Head, keys: Sequence[Key]) -> str:
        now_s = time.time()
        if authorization := head.field("Authorization"):
            return verify(_secret_of(authorization), keys, now_s)
        offered = [part.strip() for part in head.field("Sec-WebSocket-Protocol").split(",")]
        for name in offered:
            if name.startswith(SUBPROTOCOL_PREFIX):
                return verify(name.removeprefix(SUBPROTOCOL_PREFIX), keys, now_s)
        # an address is written to logs and histories: only what is soon worth nothing may stand in it
        if token := parse_qs(head.query).get(QUERY_KEY, [""])[0]:
            return verify_signed(token, keys, now_s)
        raise Unauthorized("none")


def _secret_of(authorization: str) -> str:
    if authorization[: len(BEARER)].lower() != BEARER:
        raise Unauthorized("none that begins with Bearer" if authorization else "none")
    return authorization[len(BEARER) :].strip()
