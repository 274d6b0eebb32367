"""demo/live.py"""

from __future__ import annotations

import numpy as np
import pytest

from demo.geometry import mouth_size
from demo.live import hear, measure_followed, measure_in_noise
from demo.measure import measure_mouth
from demo.recording import excerpt, read_recording
from demo.visemes import mouth_poses
from tests.conftest import Clip

SPEECH = excerpt(read_recording("heldout"), 4.0)
FRAMES = 100


@pytest.fixture(scope="module")
def faces(clip: Clip) -> np.ndarray:
    """Faces of a clip that says something else."""
    from demo.quality import open_known_take

    return open_known_take(clip.folder).faces


def loudness(windows: np.ndarray) -> np.ndarray:
    """An encoder: 512 times the mean of a window, 0 for silence."""
    return np.repeat(windows.mean(axis=(1, 2, 3))[:, None] + 4, 512, axis=1).astype(np.float32)


def test_windows_are_those_of_serving() -> None:
    """Frame i hears vectors i - 8 to i + 7, zeros before the first."""
    audio = hear(SPEECH, loudness, FRAMES).reshape(FRAMES, 16, 512)
    assert not audio[0, :8].any()
    np.testing.assert_array_equal(audio[20, 3], audio[15, 8])
    assert audio.shape == (FRAMES, 16, 512)


def test_a_network_that_knows_the_truth_follows(faces: np.ndarray) -> None:
    """Faces that have the true mouths are followed on time and as open as they should be; copies of others are not."""
    truth = mouth_poses(SPEECH.phonemes, FRAMES)
    order = [int(np.argmin(np.abs(_openings(faces) - mouth_size(pose)[0]))) for pose in truth]
    rows = iter(order)
    got = measure_followed(
        SPEECH, faces, lambda batch, audio: np.stack([faces[next(rows)] for _ in batch]), loudness
    )
    assert (got.frames, got.lag_frames) == (FRAMES, 0)
    assert got.opening > 0.9
    assert got.opened == pytest.approx(1.0, abs=0.15)
    copied = measure_followed(SPEECH, faces, lambda batch, audio: batch, loudness)
    assert copied.opening < 0.5


def test_a_mouth_that_stays_half_shut_is_told(faces: np.ndarray) -> None:
    """A network that shows one face all the time has no correlation and its own share of opening."""
    got = measure_followed(SPEECH, faces, lambda batch, audio: np.repeat(faces[:1], len(batch), 0), loudness)
    truth = np.mean([mouth_size(pose)[0] for pose in mouth_poses(SPEECH.phonemes, FRAMES)])
    seen = measure_mouth(faces[0])
    assert seen is not None
    assert got.opened == pytest.approx(seen.opening / truth, rel=1e-3)
    assert got.opening == pytest.approx(0, abs=1e-3)


def test_noise_reaches_the_network_as_loud_as_asked(faces: np.ndarray) -> None:
    """Louder noise is heard louder, and the opening that is painted on it comes back."""
    heard = []

    def network(batch: np.ndarray, audio: np.ndarray) -> np.ndarray:
        heard.append(float(audio.mean()))
        return batch

    opening = [measure_in_noise(faces[:5], network, loudness, level_db) for level_db in (-60.0, -40.0)]
    assert heard[1] - heard[0] == pytest.approx(20 / 12.5, abs=0.2)  # the spectrogram's unit is 12.5 dB
    assert opening[0] == opening[1] == pytest.approx(_openings(faces[:5]).mean(), abs=1e-4)


def _openings(faces: np.ndarray) -> np.ndarray:
    mouths = [measure_mouth(face) for face in faces]
    return np.array([mouth.opening if mouth else 0 for mouth in mouths])
