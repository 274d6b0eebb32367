"""Why an embedded Triton did not start.

EmbeddedError
├── BadSetting       a value of EmbeddedConfig that cannot work
├── NotInstalled     the server binary, or the Python library its backend needs, is missing
├── PortInUse        something else has one of the ports
├── SecretNotWritten the file of the secret cannot be written
└── StartFailed      Triton itself gave up, or was not ready in time
    └── StartCrashed a signal ended it
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadSetting",
    "EmbeddedError",
    "NotInstalled",
    "PortInUse",
    "SecretNotWritten",
    "StartCrashed",
    "StartFailed",
]


class EmbeddedError(Exception):
    """Base of every error this package raises."""


class BadSetting(EmbeddedError):
    """Raised when a setting cannot work."""

    def __init__(self, key: str, expected: str, got: object) -> None:
        super().__init__(key, expected, got)
        self.key, self.expected, self.got = key, expected, got

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.got}"


class NotInstalled(EmbeddedError):
    """Raised when a file that Triton needs is not on this machine."""

    def __init__(self, missing: str, remedy: str) -> None:
        super().__init__(missing, remedy)
        self.missing, self.remedy = missing, remedy

    def __str__(self) -> str:
        return f"{self.missing} is not installed: {self.remedy}"


class PortInUse(EmbeddedError):
    """Raised when a port is taken before Triton starts.

    Attributes:
        holder: Who has it, where the system tells: the name and number of its process.
    """

    def __init__(self, host: str, port: int, holder: str | None = None) -> None:
        super().__init__(host, port, holder)
        self.host, self.port, self.holder = host, port, holder

    def __str__(self) -> str:
        holder = self.holder or "something"
        return f"expected {self.host}:{self.port} to be free for Triton, but {holder} has it already"


class SecretNotWritten(EmbeddedError):
    """Raised when nobody could learn the secret of a Triton that is ready, as its file cannot be written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(path, reason)
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return (
            f"expected to write Triton's secret to {self.path}, got: {self.reason}; "
            "--control-secret-file takes a file of yours"
        )


class StartFailed(EmbeddedError):
    """Raised when Triton exits, or is not ready in time.

    Attributes:
        reason: What it did, and its own relevant log line without the time stamp.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"Triton {self.reason}"


class StartCrashed(StartFailed):
    """Raised when a signal ended Triton as it started."""
