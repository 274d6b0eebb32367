"""The one kind of sound file that the bridge gives."""

from __future__ import annotations

import io
import wave

__all__ = ["SAMPLE_RATE_HZ", "encode_wav"]

SAMPLE_RATE_HZ = 16_000
SAMPLE_BYTES = 2


def encode_wav(samples: bytes) -> bytes:
    """Return a WAV file of 16 kHz mono sound, given as 16-bit little-endian samples."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples)
    return content.getvalue()
