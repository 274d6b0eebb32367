"""demo/quality.py"""

from __future__ import annotations

import numpy as np
import pytest

from demo.quality import KnownTake, Quality, measure_quality, open_known_take, paint, silence
from speech.features import AudioEncoder
from tests.conftest import CLIP_FRAMES, Clip


@pytest.fixture(scope="module")
def take(clip: Clip) -> KnownTake:
    return open_known_take(clip.folder)


def mean_of_bands(windows: np.ndarray) -> np.ndarray:
    """An encoder: 512 times the mean of a window."""
    return np.repeat(windows.mean(axis=(1, 2, 3))[:, None], 512, axis=1).astype(np.float32)


def measure(take: KnownTake, network: object, encoder: AudioEncoder = mean_of_bands) -> Quality:
    return measure_quality(take, network, encoder)


def test_a_take_as_it_is_served(clip: Clip, take: KnownTake) -> None:
    """Faces, windows of 16 vectors around each frame, and the truth, frame by frame."""
    assert take.faces.shape == (CLIP_FRAMES, 320, 320, 3)
    assert take.audio.shape == (CLIP_FRAMES, 32, 16, 16)
    vectors = np.load(clip.folder / "aud_ave.npy")
    np.testing.assert_array_equal(take.audio[20].reshape(16, 512), vectors[12:28])
    assert not take.audio[0].reshape(16, 512)[:8].any()
    np.testing.assert_array_equal(take.opening, np.load(clip.folder / "mouth.npy")[:, 0])


def test_the_truth_is_perfect_but_deaf(take: KnownTake) -> None:
    """A network that copies its reference looks perfect, and is found out by silence and by shuffled sound."""
    quality = measure(take, lambda faces, audio: faces)
    assert (quality.frames, quality.unseen, quality.lag_frames) == (CLIP_FRAMES, 0, 0)
    assert quality.opening > 0.98
    assert quality.width > 0.95
    assert quality.lowest_psnr_db > 100
    assert quality.silent > 0.1
    assert quality.shuffled == quality.opening


def test_a_late_network(take: KnownTake) -> None:
    """A mouth that comes two frames late is said to."""
    order = iter(np.roll(np.arange(CLIP_FRAMES), 2).tolist() * 3)
    quality = measure(take, lambda faces, audio: take.faces[[next(order) for _ in faces]])
    assert quality.lag_frames == 2
    assert quality.opening < 0.9
    assert 15 < quality.psnr_db < 60


def test_faces_without_a_mouth(take: KnownTake) -> None:
    """Frames in which no mouth is seen are counted, and agree with nothing."""
    quality = measure(take, lambda faces, audio: np.full_like(faces, 128))
    assert (quality.unseen, quality.opening, quality.silent) == (CLIP_FRAMES, 0, 0)


def test_painting_keeps_the_order(take: KnownTake) -> None:
    """Each frame gets its own face and sound, in batches of up to eight."""
    sizes = []

    def network(faces: np.ndarray, audio: np.ndarray) -> np.ndarray:
        sizes.append(len(faces))
        return faces + (audio.reshape(len(audio), -1)[:, :1, None, None] > 1e9).astype(np.uint8)

    pictures = list(paint(network, take.faces[:19], take.audio[:19]))
    np.testing.assert_array_equal(pictures, take.faces[:19])
    assert sizes == [8, 8, 3]


def test_silence_is_what_the_encoder_hears_in_it() -> None:
    """The window is sixteen times the vector of a mel window at its floor."""
    audio = silence(mean_of_bands, 3)
    assert audio.shape == (3, 32, 16, 16)
    assert (audio == -4).all()
