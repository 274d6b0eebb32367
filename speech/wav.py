"""WAV files and PCM samples: read as 16 kHz mono, written as 16 kHz mono."""

from __future__ import annotations

import io
import math
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speech.contract import SAMPLE_RATE_HZ
from speech.errors import BadSound
from speech.streaming import resample_blocks

if TYPE_CHECKING:
    from soundfile import SoundFile

__all__ = [
    "FULL_SCALE",
    "LONGEST_S",
    "SILENCE_PEAK",
    "check_speech",
    "encode_wav",
    "mix_channels",
    "read_speech",
    "read_wav",
    "to_int16",
    "write_wav",
]

SILENCE_PEAK = 1e-3
"""A sound that never exceeds this (-60 dB of full scale) is taken for silence."""

FULL_SCALE = 32768
"""What 1.0 is in 16-bit samples."""

CANCELLED = 0.1
"""Of the louder channel's power: a mix below this has lost its speech; one silent channel leaves 0.25."""

EXPECTED = "a PCM WAV file of 8, 16, 24 or 32 bits"
WAV_FORMATS = ("WAV", "WAVEX", "RF64")  # WAVEX: with a header that tells channels and 24 bits apart
PCM_SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32")
RATES_HZ = (4_000, 192_000)

CHANNELS = 32
"""More than any recorder's; a header may claim a thousand."""

LONGEST_S = 7200
"""Twice the longest clip that is imported, an hour; at 16 kHz it is 460 MB."""

BLOCK_FRAMES = 1 << 16
"""Samples of each channel that are held at once as they are stored."""


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
    """Read a PCM WAV file as 16 kHz mono: channels are mixed, other rates resampled.

    Returns:
        (S,) float32, -1.0 to 1.0.

    Raises:
        BadSound: If the file is missing, no PCM WAV, of a rate outside 4 to 192 kHz, of more than 32 channels or two
            hours, or empty.
    """
    samples = _decode(path)
    if not len(samples):
        raise BadSound(path, "a sound", "a WAV file of 0 samples")
    return samples


def mix_channels(samples: NDArray[np.floating[Any]]) -> tuple[NDArray[np.floating[Any]], int | None]:
    """Average the channels of a sound, unless two cancel each other, as those of a miswired microphone do.

    Args:
        samples: (S, channels).

    Returns:
        (S,), and which channel it is if only the louder one was taken.
    """
    mix = samples.mean(axis=1)
    if samples.shape[1] == 2:
        powers = np.square(samples).sum(axis=0, dtype=np.float64)
        louder = _louder(powers, np.square(mix).sum(dtype=np.float64))
        if louder is not None:
            return samples[:, louder], louder
    return mix, None


def _louder(powers: NDArray[np.float64], mix_power: float) -> int | None:
    """Return the louder of two channels if their mix has lost its speech, else None."""
    return int(powers.argmax()) if mix_power < CANCELLED * powers.max() else None


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


def _decode(path: Path) -> NDArray[np.float32]:
    """Return a WAV file's samples, (S,) -1.0 to 1.0, at 16 kHz: block by block, so that only the result is held."""
    import soundfile  # what only writes WAV files, such as the bridge, is installed without it

    try:
        with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
            _check_header(path, sound)
            only = _cancelling(sound)
            mixes = (block.mean(axis=1) if only is None else block[:, only] for block in _blocks(sound))
            return resample_blocks(mixes, int(sound.samplerate))
    except FileNotFoundError as exc:
        raise BadSound(path, EXPECTED, "nothing there") from exc
    except soundfile.LibsndfileError as exc:
        raise BadSound(path, EXPECTED, exc.error_string.rstrip(".")) from exc
    except OSError as exc:
        raise BadSound(path, EXPECTED, str(exc)) from exc


def _blocks(sound: SoundFile) -> Iterator[NDArray[np.float64]]:
    """Yield a file's samples from its beginning, (S, channels) -1.0 to 1.0 each."""
    sound.seek(0)
    while len(block := sound.read(BLOCK_FRAMES, dtype="float64", always_2d=True)):
        yield block


def _cancelling(sound: SoundFile) -> int | None:
    """Return the louder of two channels that cancel each other, else None; see ``mix_channels``."""
    if sound.channels != 2:
        return None
    powers, mix_power = np.zeros(2), 0.0
    for block in _blocks(sound):
        powers += np.square(block).sum(axis=0)
        mix_power += float(np.square(block.mean(axis=1)).sum())
    return _louder(powers, mix_power)


def _check_header(path: Path, sound: SoundFile) -> None:
    """Check that a file is of a kind, a rate and a size that sounds are brought in."""
    if sound.format not in WAV_FORMATS or sound.subtype not in PCM_SUBTYPES:
        raise BadSound(path, EXPECTED, f"{sound.format_info}, {sound.subtype_info}")
    low, high = RATES_HZ
    if not low <= sound.samplerate <= high:
        raise BadSound(path, f"a rate of {low} to {high} Hz", f"{sound.samplerate} Hz")
    if sound.channels > CHANNELS:
        raise BadSound(path, f"up to {CHANNELS} channels", f"{sound.channels}")
    if sound.frames > LONGEST_S * sound.samplerate:
        raise BadSound(path, f"up to {LONGEST_S} s of sound", f"{sound.frames / sound.samplerate:.0f} s")
