"""What can go wrong when a clip is made.

::

    DemoError
    ├── BadRecording      a recording that comes with the demo is missing or broken
    ├── InvalidSetting    a frame count or size outside its range
    ├── ClipExists        the clip's folder is already there
    ├── ClipNotWritten    the disk or the video writer refused
    ├── SpeechUnavailable espeak-ng, or a voice of it, is missing
    └── UnknownPhoneme    speech holds a phoneme that has no mouth shape
"""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "BadRecording",
    "ClipExists",
    "ClipNotWritten",
    "DemoError",
    "InvalidSetting",
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


class InvalidSetting(DemoError):
    """Raised when a number is outside what a clip can have."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        self.name = name
        self.expected = expected
        self.got = got

    def __str__(self) -> str:
        return f"{self.name} must be {self.expected}, got {self.got}"


class ClipExists(DemoError):
    """Raised when the folder to be written is already there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return f"expected a folder yet to be made, but {self.folder} exists"


class ClipNotWritten(DemoError):
    """Raised when the clip cannot be written."""

    def __init__(self, folder: Path, reason: str) -> None:
        self.folder = folder
        self.reason = reason

    def __str__(self) -> str:
        return f"could not write the clip {self.folder}: {self.reason}"


class SpeechUnavailable(DemoError):
    """Raised when speech cannot be made on this machine."""

    def __init__(self, missing: str) -> None:
        self.missing = missing

    def __str__(self) -> str:
        return f"speech is made with espeak-ng, but this is missing: {self.missing}"


class UnknownPhoneme(DemoError):
    """Raised when a phoneme has no mouth shape."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return f"expected a phoneme of English as espeak-ng spells it, got {self.name!r}"
