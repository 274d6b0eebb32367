"""livekit/plugins/lipsync/sound.py"""

from __future__ import annotations

import numpy as np
import pytest
from livekit import rtc
from livekit.plugins.lipsync.sound import Converter

RATE = 16_000


def tone(seconds: float, rate: int, hertz: float = 440) -> np.ndarray:
    """Return a tone, int16."""
    return (9000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def frames(samples: np.ndarray, rate: int, size: int = 1000) -> list[rtc.AudioFrame]:
    """Return pieces of sound, (n,) or (n, channels)."""
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    pieces = [samples[start : start + size] for start in range(0, len(samples), size)]
    return [rtc.AudioFrame(piece.tobytes(), rate, channels, len(piece)) for piece in pieces]


def test_the_right_kind_passes() -> None:
    """Mono of the right rate is not touched."""
    samples, converter = tone(0.3, RATE), Converter(RATE)
    assert b"".join(map(converter.push, frames(samples, RATE))) == samples.tobytes()
    assert converter.flush() == b""


def test_channels_become_one() -> None:
    """Two channels become their mean."""
    samples = tone(0.1, RATE)
    both = np.stack([samples, -samples // 2], axis=1)
    out = np.frombuffer(b"".join(map(Converter(RATE).push, frames(both, RATE))), np.int16)
    np.testing.assert_allclose(out, both.mean(axis=1), atol=0.5)


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_another_rate(rate: int) -> None:
    """A tone of another rate is the same tone afterwards, and as long."""
    converter = Converter(RATE)
    out = b"".join(map(converter.push, frames(tone(1, rate), rate))) + converter.flush()
    samples = np.frombuffer(out, np.int16)
    assert len(samples) == pytest.approx(RATE, abs=2)
    middle = slice(2000, 14_000)
    np.testing.assert_allclose(samples[middle], tone(1, RATE)[: len(samples)][middle], atol=90)


def test_rates_may_change() -> None:
    """What the first rate's resampler kept back comes before what follows."""
    converter = Converter(RATE)
    first = b"".join(map(converter.push, frames(tone(0.5, 48_000), 48_000)))
    second = converter.push(frames(tone(0.1, RATE), RATE, 1600)[0])
    assert len(first + second) // 2 == pytest.approx(8000 + 1600, abs=2)
    assert second.endswith(tone(0.1, RATE).tobytes())
    assert converter.flush() == b""


def test_reset_forgets() -> None:
    """After an interruption nothing of the old sound is kept back."""
    converter = Converter(RATE)
    converter.push(frames(tone(0.02, 48_000), 48_000)[0])
    converter.reset()
    assert converter.flush() == b""
