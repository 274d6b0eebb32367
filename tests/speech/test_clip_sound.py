"""speech/clip_sound.py"""

import numpy as np
import pytest

from speech.clip_sound import cut_into_frames, join_frames, samples_per_frame


@pytest.mark.parametrize("samples", [0, 1000, 1920, 5000])
def test_frames_of_a_sound(samples):
    """Each frame has its own 640 samples; a sound too long is cut, one too short followed by silence."""
    sound = np.arange(1, samples + 1, dtype=np.int16)
    frames = cut_into_frames(sound, 3, 25.0)
    assert (frames.dtype, frames.shape) == (np.int16, (3, 640))
    np.testing.assert_array_equal(frames.reshape(-1)[:samples], sound[:1920])
    assert not frames.reshape(-1)[samples:].any()


@pytest.mark.parametrize(
    ("fps", "samples"), [(1, 16_000), (20, 800), (24, 667), (25, 640), (29.97, 534), (30, 534), (60, 267)]
)
def test_frames_at_other_rates(fps, samples):
    """At any rate, a frame's samples begin within half a sample of the time at which it is shown."""
    assert samples_per_frame(fps) == samples
    sound = np.arange(30 * 16_000, dtype=np.int32)
    frames = cut_into_frames(sound, 30, fps)
    assert frames.shape == (30, samples)
    assert np.abs(frames[:, 0] - np.arange(30) * 16_000 / fps).max() <= 0.5
    assert (np.diff(frames, axis=1) == 1).all()


@pytest.mark.parametrize("fps", [1, 7, 20, 23.976, 24, 25, 29.97, 30, 48, 60])
@pytest.mark.parametrize("frame_count", [1, 2, 251])
def test_the_whole_sound_again(fps, frame_count):
    """Joined frames are the sound they were cut of, sample by sample, as long as the frames are shown."""
    length = round(frame_count * 16_000 / fps)
    sound = np.random.default_rng(1).integers(-32768, 32768, length).astype(np.int16)
    np.testing.assert_array_equal(join_frames(cut_into_frames(sound, frame_count, fps), fps), sound)
