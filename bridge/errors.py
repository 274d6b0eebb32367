"""Everything that can go wrong in the bridge, as types.

    BridgeError
    ├── ConfigError        config             start-up only
    ├── ListenError        listen             start-up only
    ├── UnresolvableUpstream  unresolvable    start-up only
    ├── NoneReadyInTime    none_ready         start-up only
    ├── WorkerEnded        worker_ended       start-up only
    ├── BadRequest         bad_request
    ├── MessageTooLarge    message_too_large
    ├── InvalidFrameId     invalid_frame_id
    ├── UnknownModel       unknown_model
    ├── NoSound            no_sound           /audio only
    ├── NoUpstreamReady    unavailable
    ├── InferTimeout       timeout
    ├── Overloaded         overloaded
    ├── Refused            refused
    ├── UpstreamLost       upstream_lost      between triton.py and balancer.py only
    ├── PackageRefused     package_refused    gRPC only
    ├── ImportFailed       import_failed      gRPC only
    └── InternalError      internal

An exception holds facts; its ``str`` is a sentence that clients may read, its ``code`` is for programs.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "START_ERRORS",
    "BadRequest",
    "BridgeError",
    "ConfigError",
    "ImportFailed",
    "InferTimeout",
    "InternalError",
    "InvalidFrameId",
    "ListenError",
    "MessageTooLarge",
    "NoSound",
    "NoUpstreamReady",
    "NoneReadyInTime",
    "Overloaded",
    "PackageRefused",
    "Refused",
    "UnknownModel",
    "UnresolvableUpstream",
    "UpstreamLost",
    "WorkerEnded",
    "shown",
]

MAX_SHOWN_CHARACTERS = 80


class BridgeError(Exception):
    """Base of every error the bridge raises on purpose."""

    code = "error"


class ConfigError(BridgeError):
    """Raised at start-up when a setting has a value it cannot have."""

    code = "config"

    def __init__(self, key: str, expected: str, got: object) -> None:
        self.key = key
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {shown(self.got)}"


class ListenError(BridgeError):
    """Raised at start-up when the bridge cannot listen on its address."""

    code = "listen"

    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        self.reason = reason

    def __str__(self) -> str:
        return f"expected to listen on port {self.port} of {self.host}, got: {self.reason}"

    @classmethod
    def of(cls, host: str, port: int, error: OSError) -> ListenError:
        """Return the error with the system's reason, which asyncio wraps into a sentence of its own."""
        text = (error.strerror or str(error)).lower()
        return cls(host, port, "address already in use" if "in use" in text else text)


class UnresolvableUpstream(BridgeError):
    """Raised at start-up when DNS does not know an upstream's host."""

    code = "unresolvable"

    def __init__(self, upstream: str, reason: str) -> None:
        self.upstream = upstream
        self.reason = reason

    def __str__(self) -> str:
        return f"expected to resolve the host of Triton at {self.upstream}, got: {self.reason}"


class NoneReadyInTime(BridgeError):
    """Raised at start-up when a Triton is required to be ready and none is in time."""

    code = "none_ready"

    def __init__(self, timeout_s: float, addresses: Sequence[str]) -> None:
        self.timeout_s = timeout_s
        self.addresses = addresses

    def __str__(self) -> str:
        return f"expected a Triton to be ready within {self.timeout_s:g} s, got none at {', '.join(self.addresses)}"


class WorkerEnded(BridgeError):
    """Raised at start-up when one of several processes ends without a word."""

    code = "worker_ended"

    def __init__(self, exit_code: int | None) -> None:
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"expected a worker to go on, got its end (exit code {self.exit_code})"


START_ERRORS = (ConfigError, ListenError, UnresolvableUpstream, NoneReadyInTime, WorkerEnded)
"""What ends a bridge before it serves; no client ever sees them."""


class BadRequest(BridgeError):
    """Raised when a message does not follow the protocol; ``got`` is a readable description."""

    code = "bad_request"

    def __init__(self, what: str, expected: str, got: str) -> None:
        self.what = what
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


class MessageTooLarge(BridgeError):
    """Raised when a message is longer than any request can be."""

    code = "message_too_large"

    def __init__(self, size_bytes: int, max_message_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.max_message_bytes = max_message_bytes

    def __str__(self) -> str:
        return f"message: expected at most {self.max_message_bytes} bytes, got {self.size_bytes}"


class InvalidFrameId(BridgeError):
    """Raised when a model has no frame of that id; ``sentence`` is Triton's where Triton was asked."""

    code = "invalid_frame_id"

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class UnknownModel(BridgeError):
    """Raised when Triton has no model of that name loaded."""

    code = "unknown_model"

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def __str__(self) -> str:
        return f"expected the name of a loaded model, got {shown(self.model_name)}"


class NoSound(BridgeError):
    """Raised when the clip of an avatar is silent throughout: there is nothing to play."""

    code = "no_sound"

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def __str__(self) -> str:
        return f"expected an avatar with sound, got {shown(self.model_name)}, whose clip is silent"


class NoUpstreamReady(BridgeError):
    """Raised when no Triton can take a request: all fail their probe, or the call was lost twice.

    ``of_those_that_know``: those that are ready do not know the model, and one that is not may.
    """

    code = "unavailable"

    def __init__(self, ready: int, total: int, of_those_that_know: bool = False) -> None:
        self.ready = ready
        self.total = total
        self.of_those_that_know = of_those_that_know

    def __str__(self) -> str:
        whose = "a Triton that knows the model" if self.of_those_that_know else "a Triton"
        return f"expected {whose} to answer, got none ({self.ready} of {self.total} ready)"


class InferTimeout(BridgeError):
    """Raised when Triton does not answer within the deadline."""

    code = "timeout"

    def __init__(self, model_name: str, timeout_s: float) -> None:
        self.model_name = model_name
        self.timeout_s = timeout_s

    def __str__(self) -> str:
        return f"expected an answer of model {shown(self.model_name)} within {self.timeout_s:g} s, got none"


class Overloaded(BridgeError):
    """Raised when Triton's queue for a model is full, or a request waited too long: in it, or for its turn.

    ``waited_s``: how long it waited for its turn in the bridge; None where Triton refused it.
    """

    code = "overloaded"

    def __init__(self, model_name: str, waited_s: float | None = None) -> None:
        self.model_name = model_name
        self.waited_s = waited_s

    def __str__(self) -> str:
        if self.waited_s is not None:
            return (
                f"expected a turn for model {shown(self.model_name)} within {self.waited_s:.2g} s, got none; "
                "try again later"
            )
        return (
            f"expected room in Triton's queue for model {shown(self.model_name)}, got none; try again later"
        )


class Refused(BridgeError):
    """Raised when Triton keeps a call for those who know its secret; ``detail`` is for the log."""

    code = "refused"

    def __init__(self, address: str, detail: str) -> None:
        self.address = address
        self.detail = f"Triton at {address} refused the bridge's secret, or that it has none: {detail}"

    def __str__(self) -> str:
        return "expected Triton to take the bridge's secret (BRIDGE_TRITON_SECRET_FILE), got a refusal"


class UpstreamLost(BridgeError):
    """Raised when the connection to an upstream fails; the balancer answers it by asking another one."""

    code = "upstream_lost"

    def __init__(self, address: str, detail: str) -> None:
        self.address = address
        self.detail = detail

    def __str__(self) -> str:
        return f"expected an answer of Triton at {self.address}, got: {self.detail}"


class PackageRefused(BadRequest):
    """Raised when a client may not import this package, or none at all."""

    code = "package_refused"


class ImportFailed(BridgeError):
    """Raised when a package cannot be imported or loaded; ``sentence`` is the importer's or Triton's."""

    code = "import_failed"

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name
        self.sentence = sentence

    def __str__(self) -> str:
        return f"expected to import {shown(self.name)}, got: {self.sentence}"


class InternalError(BridgeError):
    """Raised when Triton or the bridge itself fails; ``detail`` is for the log, never for a client."""

    code = "internal"

    def __init__(self, detail: str) -> None:
        self.detail = detail

    def __str__(self) -> str:
        return "expected an answer of Triton, got an internal error; the bridge's log has the details"


def shown(value: object) -> str:
    """Return ``repr(value)``, cut to a length that fits into a sentence."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 1] + "…"
