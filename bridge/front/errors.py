"""What the bridge does not take, because it would take too much of it.

BridgeError
├── HeadTooLarge   head_too_large   a request's head is longer than any request needs
├── TooMany        too_many         one client has as many of something as it may have
└── BridgeFull     bridge_full      all clients together have
"""

from __future__ import annotations

from bridge.errors import BridgeError

__all__ = ["BridgeFull", "HeadTooLarge", "TooMany"]


class HeadTooLarge(BridgeError):
    """Raised when request line and header fields are longer than any request needs."""

    code = "head_too_large"

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes

    def __str__(self) -> str:
        return f"request: expected at most {self.most_bytes} bytes before its empty line, got more"


class TooMany(BridgeError):
    """Raised when a client address, or a token, has as many of ``what`` as it may have."""

    code = "too_many"

    def __init__(self, what: str, whose: str, most: int) -> None:
        self.what = what
        self.whose = whose
        self.most = most

    def __str__(self) -> str:
        return f"{self.what}: expected at most {self.most} of one {self.whose}, got one more; try again later"


class BridgeFull(BridgeError):
    """Raised when all clients together have as many of ``what`` as the bridge takes."""

    code = "bridge_full"

    def __init__(self, what: str, most: int) -> None:
        self.what = what
        self.most = most

    def __str__(self) -> str:
        return f"{self.what}: expected at most {self.most}, got one more; try again later"
