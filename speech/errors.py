"""What can be wrong with a sound or an audio encoder.

SpeechError
├── BadSound     a sound that cannot be read, or has no speech in it
└── BadEncoder   a file that is not an audio encoder's
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["BadEncoder", "BadSound", "SpeechError"]


MAX_GOT_CHARACTERS = 1000
"""A file may hold names of any length, and a sentence shows some."""


class SpeechError(Exception):
    """Base of every error this package raises for bad input.

    Attributes:
        path: The file.
        expected: What should have been there.
        got: What was there.
    """

    def __init__(self, path: Path, expected: str, got: str) -> None:
        super().__init__(path, expected, got)
        self.path, self.expected, self.got = path, expected, got

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got[:MAX_GOT_CHARACTERS]}"


class BadSound(SpeechError):
    """Raised when a sound is missing, no PCM WAV, empty, silent or too short."""


class BadEncoder(SpeechError):
    """Raised when a file is not an ONNX audio encoder."""
