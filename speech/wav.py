"""WAV files and PCM samples: read as 16 kHz mono, written as 16 kHz mono."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ
from speech.errors import BadSound

__all__ = [
    "FULL_SCALE",
    "SILENCE_PEAK",
    "check_speech",
    "encode_wav",
    "read_speech",
    "read_wav",
    "resample",
    "to_int16",
    "write_wav",
]

SILENCE_PEAK = 1e-3
"""A sound that never exceeds this (-60 dB of full scale) is taken for silence."""

FULL_SCALE = 32768
"""What 1.0 is in 16-bit samples."""

EXPECTED = "a PCM WAV file of 8, 16, 24 or 32 bits"


def read_speech(path: Path) -> NDArray[np.float32]:
    """Read a WAV file that must not be silent; see ``read_wav``.

    Raises:
        BadSound: If the file is missing, no PCM WAV, empty or silent.
    """
    return check_speech(read_wav(path), path)


def check_speech(samples: NDArray[np.float32], source: Path) -> NDArray[np.float32]:
    """Return the samples, (S,) -1.0 to 1.0, if there is more than silence in them.

    Raises:
        BadSound: If they are silent; its path is ``source``.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < SILENCE_PEAK:
        level = f"peak {20 * math.log10(peak):.0f} dB" if peak else "all zeros"
        raise BadSound(source, "speech", f"{len(samples) / SAMPLE_RATE_HZ:.1f} s of silence ({level})")
    return samples


def read_wav(path: Path) -> NDArray[np.float32]:
    """Read a PCM WAV file as 16 kHz mono: channels are averaged, other rates resampled.

    Returns:
        (S,) float32, -1.0 to 1.0.

    Raises:
        BadSound: If the file is missing, no PCM WAV, or empty.
    """
    try:
        with wave.open(str(path), "rb") as file:
            rate_hz, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
            data = file.readframes(file.getnframes())
    except FileNotFoundError as exc:
        raise BadSound(path, EXPECTED, "nothing there") from exc
    except (wave.Error, EOFError, OSError) as exc:
        raise BadSound(path, EXPECTED, str(exc) or "a file cut short") from exc
    whole = len(data) // (channels * width) * channels * width
    samples = _decode(data[:whole], width).reshape(-1, channels).mean(axis=1)
    if not len(samples):
        raise BadSound(path, "a sound", "a WAV file of 0 samples")
    return resample(samples, rate_hz).astype(np.float32)


def to_int16(samples: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Return samples of -1.0 to 1.0 as 16 bits; what is louder is clipped."""
    levels: NDArray[np.int16] = (
        np.rint(samples * FULL_SCALE).clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    )
    return levels


def encode_wav(samples: bytes) -> bytes:
    """Return a WAV file of 16 kHz mono sound, given as 16-bit little-endian samples."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples)
    return content.getvalue()


def write_wav(path: Path, sound: NDArray[np.int16]) -> None:
    """Write 16 kHz mono sound as a WAV file of 16-bit samples."""
    path.write_bytes(encode_wav(sound.astype("<i2").tobytes()))


def resample(samples: NDArray[np.float64], rate_hz: int) -> NDArray[np.float64]:
    """Return a sound of any rate at 16 kHz, without what lies above the lower rate's half.

    The whole spectrum is cut or extended at once: exact for the rate's ratio, with no filter to design.
    """
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    divisor = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
    count = -(-len(samples) * up // down)
    margin = rate_hz // 10  # a spectrum is periodic: silence keeps the end from ringing into the start
    padded = np.pad(samples, (0, margin + -(len(samples) + margin) % down))
    length = len(padded) * up // down
    spectrum = np.fft.rfft(padded)[: length // 2 + 1]
    return np.asarray(np.fft.irfft(spectrum, length)[:count] * (up / down))


def _decode(data: bytes, width: int) -> NDArray[np.float64]:
    """Return little-endian PCM of 1 to 4 bytes a sample as -1.0 to 1.0; 8 bits are unsigned."""
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    octets = np.zeros((len(data) // width, 4), np.uint8)
    octets[:, 4 - width :] = np.frombuffer(data, np.uint8).reshape(-1, width)
    return octets.view("<i4")[:, 0] / 2.0**31
