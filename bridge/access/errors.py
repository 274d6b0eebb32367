"""Why the bridge does not listen to somebody.

BridgeError
├── WrongHost       wrong_host      the bridge was asked under a name that is not its own
├── ForeignOrigin   foreign_origin  a page of another site asks
└── Unauthorized    unauthorized    no token was shown that is valid now
"""

from __future__ import annotations

from bridge.errors import BridgeError, shown

__all__ = ["ForeignOrigin", "Unauthorized", "WrongHost"]


class WrongHost(BridgeError):
    """Raised when the header Host is a name that nobody has said to be the bridge's."""

    code = "wrong_host"

    def __init__(self, host: str) -> None:
        self.host = host

    def __str__(self) -> str:
        return f"host: expected an IP address, localhost or a name of BRIDGE_ALLOWED_HOSTS, got {shown(self.host)}"


class ForeignOrigin(BridgeError):
    """Raised when a browser asks for a page of another site; ``origin`` is empty where it does not say which."""

    code = "foreign_origin"

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def __str__(self) -> str:
        whose = shown(self.origin) if self.origin else "another site's"
        return f"origin: expected the bridge's own or one of BRIDGE_ALLOWED_ORIGINS, got {whose}"


class Unauthorized(BridgeError):
    """Raised when a token is asked for, and none was shown that is valid now; ``got`` never tells it."""

    code = "unauthorized"

    def __init__(self, got: str) -> None:
        self.got = got

    def __str__(self) -> str:
        return f"token: expected one that the bridge knows, got {self.got}"
