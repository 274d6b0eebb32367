"""Every error a caller of this package can meet.

LipsyncError
├── InvalidUrl             the URL names no server of a known scheme
├── InvalidSetting         a deadline or a limit is out of its range
├── TransportNotInstalled  the URL's scheme needs an extra that is not installed
├── ClientClosed           the client was used after it was closed
├── InvalidFrameId         the frame id is no integer within the avatar's range
├── UnknownModel           the server has no such avatar loaded
├── ServerUnavailable      no server answers at the URL
├── InferTimeout           the answer did not come before the deadline
├── InvalidAnswer          the server answered something else than the tensors agreed on
├── ServerError            the server refused the request for any other reason
├── Overloaded             the bridge has no room for one more session of live speech
├── SpeechRefused          the bridge refused a session of live speech, or ended it
├── SpeechLost             the connection of a session broke off
├── SpeechTimeout          the bridge did not say in time what was due
└── BadSound               the sound to be spoken cannot be read

An error holds facts as attributes; ``str()`` writes the sentence; ``code`` is for programs.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BadSound",
    "ClientClosed",
    "InferTimeout",
    "InvalidAnswer",
    "InvalidFrameId",
    "InvalidSetting",
    "InvalidUrl",
    "LipsyncError",
    "Overloaded",
    "ServerError",
    "ServerUnavailable",
    "SpeechLost",
    "SpeechRefused",
    "SpeechTimeout",
    "TransportNotInstalled",
    "UnknownModel",
]


class LipsyncError(Exception):
    """Base class of every error this package raises.

    Attributes:
        code: A short name that stays the same when the sentence changes.
    """

    code: ClassVar[str] = "error"


class InvalidUrl(LipsyncError):
    """Raised when a URL names no server of a known scheme."""

    code = "invalid_url"

    def __init__(
        self,
        url: str,
        reason: str,
        expected: str = "a URL like grpc://localhost:8001 or http://localhost:8000",
    ) -> None:
        super().__init__(url, reason, expected)
        self.url = url
        self.reason = reason
        self.expected = expected

    def __str__(self) -> str:
        return f"expected {self.expected}, got {self.url!r}: {self.reason}"


class InvalidSetting(LipsyncError):
    """Raised when a deadline or a limit is out of its range."""

    code = "invalid_setting"

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(name, expected, got)
        self.name = name
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{self.name} must be {self.expected}, got {self.got!r}"


class TransportNotInstalled(LipsyncError):
    """Raised when the URL's scheme needs an extra that is not installed."""

    code = "transport_not_installed"

    def __init__(self, scheme: str, extra: str) -> None:
        super().__init__(scheme, extra)
        self.scheme = scheme
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.scheme}:// needs lipsync-client[{self.extra}], got an installation without this extra"


class ClientClosed(LipsyncError):
    """Raised when a client is used after it was closed."""

    code = "client_closed"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"expected an open client, got one of {self.url} that was closed"


class InvalidFrameId(LipsyncError):
    """Raised when a frame id is no integer within the avatar's range.

    Attributes:
        model_name: The avatar.
        frame_id: What was asked for.
        first: The first valid frame id: the avatar's when the server refused, INT32's when the client did.
        last: The last valid frame id, likewise.
    """

    code = "invalid_frame_id"

    def __init__(self, model_name: str, frame_id: object, first: int, last: int) -> None:
        super().__init__(model_name, frame_id, first, last)
        self.model_name = model_name
        self.frame_id = frame_id
        self.first = first
        self.last = last

    def __str__(self) -> str:
        valid = f"an integer within [{self.first}, {self.last}]"
        return f"frame_id of avatar {self.model_name!r} must be {valid}, got {self.frame_id!r}"


class UnknownModel(LipsyncError):
    """Raised when the server has no such avatar loaded."""

    code = "unknown_model"

    def __init__(self, model_name: str, url: str, reason: str) -> None:
        super().__init__(model_name, url, reason)
        self.model_name = model_name
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"expected an avatar that is loaded at {self.url}, got {self.model_name!r}: {self.reason}"


class ServerUnavailable(LipsyncError):
    """Raised when no server answers at the URL."""

    code = "unavailable"

    def __init__(self, url: str, reason: str, server: str = "a Triton server") -> None:
        super().__init__(url, reason, server)
        self.url = url
        self.reason = reason
        self.server = server

    def __str__(self) -> str:
        return f"expected {self.server} at {self.url}, got no answer: {self.reason}"


class InferTimeout(LipsyncError):
    """Raised when the answer did not come before the deadline."""

    code = "timeout"

    def __init__(self, url: str, model_name: str | None, infer_timeout_s: float) -> None:
        super().__init__(url, model_name, infer_timeout_s)
        self.url = url
        self.model_name = model_name
        self.infer_timeout_s = infer_timeout_s

    def __str__(self) -> str:
        about = f" about {self.model_name!r}" if self.model_name is not None else ""
        return f"expected an answer{about} from {self.url} within {self.infer_timeout_s:g} s, got none"


class InvalidAnswer(LipsyncError):
    """Raised when the server answered something else than the tensors agreed on."""

    code = "invalid_answer"

    def __init__(self, model_name: str, expected: str, got: str) -> None:
        super().__init__(model_name, expected, got)
        self.model_name = model_name
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"model {self.model_name!r} must answer {self.expected}, got {self.got}"


class ServerError(LipsyncError):
    """Raised when the server refused the request for a reason that has no class of its own.

    Attributes:
        status: gRPC's status name, or HTTP's status number.
        reason: The server's words.
    """

    code = "server_error"

    def __init__(self, url: str, model_name: str | None, status: str, reason: str) -> None:
        super().__init__(url, model_name, status, reason)
        self.url = url
        self.model_name = model_name
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        about = f" about {self.model_name!r}" if self.model_name is not None else ""
        return f"expected an answer{about} from {self.url}, got {self.status}: {self.reason}"


class Overloaded(LipsyncError):
    """Raised when the bridge has no room for one more session of live speech; later it may have."""

    code = "overloaded"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"expected room for a session at {self.url}, got a refusal: {self.reason}"


class SpeechRefused(LipsyncError):
    """Raised when the bridge refuses a session of live speech, or ends it.

    Attributes:
        fault_code: The bridge's name for the reason, such as ``cannot_hear``.
        reason: The bridge's words.
    """

    code = "speech_refused"

    def __init__(self, url: str, fault_code: str, reason: str) -> None:
        super().__init__(url, fault_code, reason)
        self.url = url
        self.fault_code = fault_code
        self.reason = reason

    def __str__(self) -> str:
        return f"expected a session of live speech at {self.url}, got {self.fault_code}: {self.reason}"


class SpeechLost(LipsyncError):
    """Raised when the connection of a session of live speech breaks off."""

    code = "speech_lost"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"expected the session at {self.url} to go on, got a broken connection: {self.reason}"


class SpeechTimeout(LipsyncError):
    """Raised when the bridge does not say in time what is due."""

    code = "speech_timeout"

    def __init__(self, url: str, what: str, timeout_s: float) -> None:
        super().__init__(url, what, timeout_s)
        self.url = url
        self.what = what
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"expected {self.what} from {self.url} within {self.timeout_s:g} s, got none"


class BadSound(LipsyncError):
    """Raised when the sound to be spoken cannot be read."""

    code = "bad_sound"

    def __init__(self, source: str, expected: str, got: str) -> None:
        super().__init__(source, expected, got)
        self.source = source
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"expected {self.expected} in {self.source!r}, got {self.got}"
