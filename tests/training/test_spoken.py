"""training/spoken.py"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.errors import BadSource
from speech.mel import WINDOW_FRAMES, mel_spectrogram, mel_windows
from speech.wav import read_speech
from tests.training.conftest import write_sound
from training.spoken import AROUND, LISTEN_FRAMES, POSES, SpokenCorpus, open_spoken, span_of

FRAMES = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take whose first number is how loud it buzzes and whose second counts the frames."""
    folder = tmp_path_factory.mktemp("spoken")
    opening = np.random.default_rng(0).random(FRAMES).astype(np.float32)
    write_sound(folder / "aud.wav", opening)
    np.save(folder / POSES, np.stack([opening, np.arange(FRAMES, dtype=np.float32)], 1))
    return folder


def test_windows_are_those_that_serving_uses(folder: Path) -> None:
    """Unchanged, frame i hears the mel frames that it hears when served, at the take's start as well."""
    take = open_spoken(folder)
    mel = mel_spectrogram(read_speech(folder / "aud.wav"))
    expected = mel_windows(mel, FRAMES)
    np.testing.assert_array_equal(take.windows(0, 30), expected[:30])
    np.testing.assert_array_equal(take.windows(57, 60), expected[57:60])
    changed = take.windows(57, 60, np.random.default_rng(0))
    assert changed.shape == (3, 80, WINDOW_FRAMES)
    assert np.abs(changed - expected[57:60]).mean() > 0.05


def test_a_span_is_what_training_on_pictures_hears(folder: Path) -> None:
    """Windows and layout are those of ``speech_of``, which follows the published rule."""
    from training.corpus import speech_of
    from training.takes import Take

    take = open_spoken(folder)
    frames = np.arange(40, 56, 2)
    span = span_of(take, frames)
    pictured = Take(None, tuple(range(FRAMES)), take.mel)  # type: ignore[arg-type]
    windows, valid, layout = speech_of(pictured, frames, np.random.default_rng(0))
    assert valid.all()
    np.testing.assert_array_equal(span.windows[:, 0][span.layout], windows[layout])
    np.testing.assert_array_equal(span.poses[:, AROUND, 1], frames)
    np.testing.assert_array_equal(span.poses[0, :, 1], np.arange(40 - AROUND, 41 + AROUND))
    first = frames[0] - 9  # vector 0 of a frame is 8 before it, and a clip's vectors begin with a copy
    np.testing.assert_array_equal(span.covered[3, :, 1], np.arange(first + 3, first + 3 + LISTEN_FRAMES))


def test_draws_are_seeded_and_from_everywhere(folder: Path) -> None:
    """The same seed draws the same; poses belong to the windows."""
    take = open_spoken(folder)
    first, second = (SpokenCorpus([take, take], np.random.default_rng(5)) for _ in range(2))
    windows, covered = first.draw_windows(40)
    again, _ = second.draw_windows(40)
    np.testing.assert_array_equal(windows, again)
    assert windows.shape == (40, 1, 80, 16)
    assert covered.shape == (40, 5, 2)
    assert np.ptp(covered[:, 0, 1].numpy()) > FRAMES / 2
    clean = first.draw_span(16, 4, changed=False)
    frame = int(clean.poses[0, AROUND, 1])
    np.testing.assert_array_equal(clean.windows[9, 0], take.windows(frame, frame + 1)[0])


@pytest.mark.parametrize(
    ("poses", "complaint"),
    [
        (np.zeros((FRAMES, 2)), r"pose\.npy: expected finite float32 numbers \(frames, P\), got float64"),
        (np.full((FRAMES, 2), np.nan, np.float32), "expected finite float32 numbers"),
        (np.zeros(FRAMES, np.float32), "expected finite float32 numbers"),
        (np.zeros((50, 2), np.float32), "expected at least 100 frames, got 50"),
        (np.zeros((FRAMES + 20, 2), np.float32), f"expected sound of {FRAMES + 20} frames"),
    ],
)
def test_poses_that_do_not_fit_are_refused(
    folder: Path, tmp_path: Path, poses: np.ndarray, complaint: str
) -> None:
    """Numbers of another form, or another length than the sound's, are named with what came."""
    (tmp_path / "aud.wav").write_bytes((folder / "aud.wav").read_bytes())
    np.save(tmp_path / POSES, poses)
    with pytest.raises(BadSource, match=complaint):
        open_spoken(tmp_path)


def test_missing_poses_are_named(tmp_path: Path) -> None:
    """A folder without them is refused with the file's name."""
    with pytest.raises(
        BadSource, match=r"pose\.npy: expected numbers for each frame's mouth, got FileNotFoundError"
    ):
        open_spoken(tmp_path)
