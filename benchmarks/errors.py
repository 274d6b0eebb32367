"""What can go wrong in a benchmark.

BenchmarkError
├── BadParameters   a file of the simulation's parameters is not one
├── LoadFailed      a request failed, or perf_analyzer did
└── NotAvailable    a part that only this measurement needs is not on this machine
"""

from __future__ import annotations

__all__ = ["BadParameters", "BenchmarkError", "LoadFailed", "NotAvailable"]


class BenchmarkError(Exception):
    """Base of this package's errors."""


class BadParameters(BenchmarkError):
    """Raised when the simulation's parameters are not what they should be."""

    def __init__(self, where: str, expected: str, got: str) -> None:
        self.where, self.expected, self.got = where, expected, got

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, got {self.got}"


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
