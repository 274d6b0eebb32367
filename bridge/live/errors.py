"""What can go wrong in a live session, beside what can go wrong with any request.

BridgeError
├── CannotHear         cannot_hear      the avatar has no audio encoder
├── Overloaded
│   └── NoRoom         overloaded       no session can be taken now
├── TooMuchSound       too_much_sound   more sound is waiting than may wait
├── IdleTooLong        idle_timeout     the client said nothing for too long
├── SlowClient         slow_client      the client leaves its pictures unread
└── ShuttingDown       shutting_down    the bridge is stopped
"""

from __future__ import annotations

from websockets.frames import CloseCode

from bridge.errors import (
    BadRequest,
    BridgeError,
    InferTimeout,
    InvalidFrameId,
    MessageTooLarge,
    NoUpstreamReady,
    Overloaded,
    UnknownModel,
    shown,
)

__all__ = [
    "BREACHES",
    "CannotHear",
    "IdleTooLong",
    "NoRoom",
    "ShuttingDown",
    "SlowClient",
    "TooMuchSound",
    "close_code",
]


class CannotHear(BridgeError):
    """Raised when an avatar plays its clip, and cannot be spoken to."""

    code = "cannot_hear"

    def __init__(self, avatar: str) -> None:
        self.avatar = avatar

    def __str__(self) -> str:
        return f"expected an avatar that can be spoken to, got {shown(self.avatar)}, imported without an audio encoder"


class NoRoom(Overloaded):
    """Raised when a session would take pictures away from those that were admitted before it."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what)
        self.what = what
        self.most = most

    def __str__(self) -> str:
        return (
            f"expected room for one more live session, got {self.most} {self.what} already; try again later"
        )


class TooMuchSound(BridgeError):
    """Raised when a client sends sound much faster than it is shown."""

    code = "too_much_sound"

    def __init__(self, held_s: float, most_s: float) -> None:
        self.held_s = held_s
        self.most_s = most_s

    def __str__(self) -> str:
        return f"expected at most {self.most_s:g} s of sound that is not shown yet, got {self.held_s:.1f} s"


class IdleTooLong(BridgeError):
    """Raised when a client sends nothing for too long."""

    code = "idle_timeout"

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"expected a message within {self.timeout_s:g} s, got none"


class SlowClient(BridgeError):
    """Raised when a client does not read what it is sent."""

    code = "slow_client"

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"expected the client to read its pictures within {self.timeout_s:g} s, got no room for more"


class ShuttingDown(BridgeError):
    """Raised in every session when the bridge is stopped."""

    code = "shutting_down"

    def __str__(self) -> str:
        return "expected to go on, got a bridge that is being stopped; connect again"


CLOSE_CODES = {
    **dict.fromkeys(
        (BadRequest, UnknownModel, InvalidFrameId, CannotHear, TooMuchSound, IdleTooLong),
        CloseCode.POLICY_VIOLATION,
    ),
    **dict.fromkeys((Overloaded, NoUpstreamReady, InferTimeout), CloseCode.TRY_AGAIN_LATER),
    MessageTooLarge: CloseCode.MESSAGE_TOO_BIG,
    ShuttingDown: CloseCode.GOING_AWAY,
}
"""How a connection is closed after an error; after any other it is 1011."""

BREACHES: dict[int, str] = {
    CloseCode.MESSAGE_TOO_BIG: MessageTooLarge.code,
    CloseCode.INVALID_DATA: BadRequest.code,
    CloseCode.PROTOCOL_ERROR: BadRequest.code,
}
"""What counts as an error though it is the WebSocket library that closes."""


def close_code(error: BridgeError) -> CloseCode:
    """Return the code that a connection is closed with after an error."""
    codes = (code for kind, code in CLOSE_CODES.items() if isinstance(error, kind))
    return next(codes, CloseCode.INTERNAL_ERROR)
