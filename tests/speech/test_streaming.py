"""speech/streaming.py: a stream of PCM gives the samples that the whole file gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.streaming import FORMATS, RATES_HZ, SoundStream, resample

RATES = (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000)


def pcm(count, format_name, seed=0):
    """Return noise as bytes of a format, and as float32."""
    values = np.random.default_rng(seed).uniform(-0.5, 0.5, count).astype(np.float32)
    if format_name == "s16le":
        levels = (values * 32768).astype("<i2")
        return levels.tobytes(), levels.astype(np.float32) / 32768
    return values.astype("<f4").tobytes(), values


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from(RATES),
    format_name=st.sampled_from(sorted(FORMATS)),
    count=st.integers(0, 20_000),
    sizes=st.lists(st.integers(0, 5_000), max_size=20),
)
def test_pieces_are_resampled_as_the_whole(rate_hz, format_name, count, sizes):
    """In pieces of any size, at any rate, the samples are those of the whole sound, to the bit."""
    data, values = pcm(count, format_name)
    stream = SoundStream(rate_hz, format_name)
    parts, start = [], 0
    for size in [*sizes, count]:
        end = min(count, start + size)
        parts.append(stream.feed(data[start * stream.bytes_per_sample : end * stream.bytes_per_sample]))
        start = end
    parts.append(stream.flush())
    np.testing.assert_array_equal(np.concatenate(parts), resample(values, rate_hz))


@pytest.mark.parametrize("rate_hz", RATES)
def test_a_tone_stays_the_tone(rate_hz):
    """A second of 440 Hz is a second of 440 Hz at 16 kHz, within half a percent away from its ends."""
    tone = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz)
    expected = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    got = resample(tone, rate_hz)
    assert len(got) == 16_000
    np.testing.assert_allclose(got[800:-800], expected[800:-800], atol=5e-3)


def test_a_stream_begins_anew_after_a_flush():
    """What is fed after the flush is resampled as a sound of its own."""
    data, values = pcm(4_800, "s16le")
    stream = SoundStream(48_000)
    for _ in range(2):
        samples = np.concatenate([stream.feed(data), stream.flush()])
        np.testing.assert_array_equal(samples, resample(values, 48_000))


def test_what_is_no_number_is_silence():
    """NaN and infinity in float samples become 0, and what is too loud is clipped."""
    data = np.array([np.nan, np.inf, -np.inf, 7.0, -7.0, 0.25], "<f4").tobytes()
    assert SoundStream(16_000, "f32le").feed(data).tolist() == [0, 0, 0, 1, -1, 0.25]


def test_rates_and_formats():
    """8 to 48 kHz, 16-bit integers and 32-bit floats."""
    assert (RATES_HZ[0], RATES_HZ[-1]) == (8_000, 48_000)
    assert {name: dtype.itemsize for name, dtype in FORMATS.items()} == {"s16le": 2, "f32le": 4}
