"""What can go wrong when the character is made to speak.

::

    DemoError
    ├── BadRecording      a recording that comes with the demo is missing or broken
    ├── SpeechUnavailable espeak-ng, or a voice of it, is missing
    └── UnknownPhoneme    speech holds a phoneme that has no mouth shape
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadRecording",
    "DemoError",
    "SpeechUnavailable",
    "UnknownPhoneme",
]


class DemoError(Exception):
    """Base of every error of this package."""


class BadRecording(DemoError):
    """Raised when a recording cannot be read."""

    def __init__(self, path: Path, got: str) -> None:
        self.path = path
        self.got = got

    def __str__(self) -> str:
        return f"{self.path}: expected a recording (16000 Hz, 1 channel, 16 bits) and its phonemes, got {self.got}"


class SpeechUnavailable(DemoError):
    """Raised when speech cannot be made on this machine."""

    def __init__(self, missing: str, maker: str = "espeak-ng") -> None:
        self.missing = missing
        self.maker = maker

    def __str__(self) -> str:
        return f"speech is made with {self.maker}, but this is missing: {self.missing}"


class UnknownPhoneme(DemoError):
    """Raised when a phoneme has no mouth shape."""

    def __init__(self, name: str, spelling: str = "as espeak-ng spells it") -> None:
        self.name = name
        self.spelling = spelling

    def __str__(self) -> str:
        return f"expected a phoneme of English {self.spelling}, got {self.name!r}"
