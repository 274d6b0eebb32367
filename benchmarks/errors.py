"""What can go wrong in a benchmark.

BenchmarkError
├── LoadFailed      a request failed, or perf_analyzer did
└── NotAvailable    a part that only this measurement needs is not on this machine
"""

from __future__ import annotations

__all__ = ["BenchmarkError", "LoadFailed", "NotAvailable"]


class BenchmarkError(Exception):
    """Base of this package's errors."""


class LoadFailed(BenchmarkError):
    """Raised when a load generator got anything but frames."""

    def __init__(self, what: str, got: str) -> None:
        self.what, self.got = what, got

    def __str__(self) -> str:
        return f"{self.what}: expected frames, got {self.got}"


class NotAvailable(BenchmarkError):
    """Raised when a measurement cannot be made here; the others go on."""

    def __init__(self, what: str, reason: str) -> None:
        self.what, self.reason = what, reason

    def __str__(self) -> str:
        return f"{self.what} is skipped: {self.reason}"
