"""speech/utterance.py: whatever the chunks, the windows are those of the whole sound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech.features import encode
from speech.mel import mel_of_emphasised, mel_spectrogram
from speech.utterance import SHORTEST_SAMPLES, Utterance
from speech.windows import window_indices

PROJECTION = (np.random.default_rng(0).normal(size=(80 * 16, 512)) / 36).astype(np.float32)


def encoder(windows):
    """Stand in for the audio encoder: a projection, one window at a time, so that no batch changes a bit."""
    vectors = [window.reshape(-1) @ PROJECTION for window in windows]
    return np.array(vectors, np.float32).reshape(len(windows), 512)


def heard(inputs):
    """Return the vectors of encoder inputs, (n, 3800) emphasised samples."""
    mel = [mel_of_emphasised(samples) for samples in inputs]
    return encoder(np.array(mel, np.float32).reshape(len(mel), 1, 80, 16))


def sound(count, seed=0):
    """Return noise whose loudness changes, as speech's does."""
    rng = np.random.default_rng(seed)
    loudness = 10 ** rng.uniform(-3, -0.5, 1 + count // 800).repeat(800)[:count]
    return (rng.normal(size=count) * loudness).clip(-1, 1).astype(np.float32)


def stream(samples, sizes, look_ahead=6, batch=16):
    """Feed a sound in pieces; return each frame's window, and how many samples were there when it came."""
    utterance, windows, arrivals, start = Utterance(look_ahead), [], [], 0

    def collect():
        while len((given := utterance.inputs(batch))[1]):
            utterance.put(given[0], heard(given[1]))
        total = utterance.frame_count
        while utterance.is_ready(len(windows)) and (total is None or len(windows) < total):
            windows.append(utterance.window(len(windows)))
            arrivals.append(utterance.sample_count)
            utterance.forget_before(len(windows))

    for size in [*sizes, len(samples)]:
        utterance.feed(samples[start : start + size])
        start = min(start + size, len(samples))
        collect()
    utterance.end()
    collect()
    return windows, arrivals


def offline(samples):
    """Return each frame's window by the path that files go: mel, vectors, padding with zeros."""
    vectors = encode(mel_spectrogram(samples), encoder)
    count = -(-len(samples) // 640)
    padded = np.concatenate([vectors, np.zeros_like(vectors[:1])])
    return padded[window_indices(count, len(vectors), "zeros")]


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 24_000),
    sizes=st.lists(st.integers(0, 6_000), max_size=40),
    batch=st.integers(1, 16),
)
def test_any_chunks_give_the_same_windows(count, sizes, batch):
    """In pieces of any size the windows are those of the sound in one piece, to the bit."""
    samples = sound(count)
    whole, _ = stream(samples, [])
    pieces, _ = stream(samples, sizes, batch=batch)
    assert len(whole) == len(pieces) == -(-count // 640)
    np.testing.assert_array_equal(np.array(pieces), np.array(whole))


@pytest.mark.parametrize("count", [3_000, 3_001, 3_199, 3_200, 6_400, 6_401, 16_000, 31_999, 50_003])
def test_the_windows_are_those_of_a_file(count):
    """Streamed in 10 ms pieces, an utterance gives what the same sound in a file gives."""
    windows, _ = stream(sound(count), [160] * (count // 160))
    np.testing.assert_allclose(np.array(windows), offline(sound(count)), atol=1e-4)


def test_a_window_comes_as_soon_as_it_can():
    """Frame i needs the samples up to at most 452.5 ms after its start, and waits for no more."""
    _, arrivals = stream(sound(32_000), [1] * 32_000)
    for frame, arrived in enumerate(arrivals[:30]):
        last_mel_frame = int(3.2 * (frame + 6)) + 15
        assert arrived == 200 * last_mel_frame + 400 <= 640 * frame + 7240


def test_what_is_shorter_than_a_window_is_lengthened():
    """A tenth of a second is heard as if silence followed; its frames are those of its own length."""
    short = sound(1_600)
    windows, _ = stream(short, [])
    utterance = Utterance()
    utterance.feed(short)
    utterance.end()
    _, inputs = utterance.inputs(16)
    assert len(windows) == 3
    emphasised = np.append(short[:1], short[1:] - np.float32(0.97) * short[:-1])
    np.testing.assert_array_equal(inputs[0][400:2000], emphasised)
    assert not inputs[0][2000:].any()
    assert SHORTEST_SAMPLES == 3_000


def test_memory_is_bounded():
    """After minutes of sound only the last half second of samples and the vectors of one window are kept."""
    utterance = Utterance()
    samples, frame = sound(640), 0
    for _ in range(2_000):
        utterance.feed(samples)
        first, inputs = utterance.inputs(16)
        utterance.put(first, np.zeros((len(inputs), 512), np.float32))
        while utterance.is_ready(frame):
            frame += 1
            utterance.forget_before(frame)
    assert len(utterance._emphasised) < 8_000
    assert len(utterance._vectors) <= 17


def test_less_look_ahead_repeats_the_newest_vector():
    """With no look-ahead a frame is ready at its own vector, which stands in for the six after it."""
    samples = sound(32_000)
    full, _ = stream(samples, [160] * 200)
    cut, arrivals = stream(samples, [160] * 200, look_ahead=0)
    np.testing.assert_array_equal(cut[20][:10], full[20][:10])  # the copy at the front: vectors 11 to 20
    np.testing.assert_array_equal(cut[20][10:], np.repeat(full[20][9:10], 6, axis=0))
    assert arrivals[20] <= 640 * 20 + 3400 + 160


def test_nothing_said():
    """An utterance that ends without a sample has no frame."""
    utterance = Utterance()
    utterance.end()
    assert utterance.frame_count == 0
    assert len(utterance.inputs(16)[1]) == 0


def test_a_minute_is_not_copied_for_every_sample():
    """Pieces of a sample each cost what they are, however much waits before them, and the windows are the same."""
    samples = sound(9_000)
    windows, _ = stream(samples, [1] * 1_000)
    np.testing.assert_array_equal(windows, offline(samples))
    utterance = Utterance()
    utterance.feed(sound(960_000))
    utterance.inputs(1)
    held = {id(utterance._emphasised)}
    for _ in range(1_000):
        utterance.feed(np.zeros(1, np.float32))
        held.add(id(utterance._emphasised))
    assert len(held) <= 5
    assert utterance.sample_count == 961_000
