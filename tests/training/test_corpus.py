from __future__ import annotations

import numpy as np
import torch

from speech.mel import mel_windows
from training.corpus import Corpus, speech_of
from training.takes import Take


def published_vectors(take: Take) -> np.ndarray:
    """Return the mel window behind each vector of an ``aud_ave.npy``: first and last twice."""
    windows = mel_windows(take.mel, take.vector_count - 2)
    return np.concatenate([windows[:1], windows, windows[-1:]])


def test_each_frame_gets_its_sixteen_vectors(takes: list[Take]) -> None:
    """Frame i's window is vectors i-8 to i+7 of the clip, zeros outside, as when served."""
    vectors = published_vectors(takes[0])
    frames = np.array([2, 4, 20, 39])
    windows, valid, layout = speech_of(takes[0], frames, np.random.default_rng(0))
    assert layout.shape == (4, 16)
    for frame, places in zip(frames, layout, strict=True):
        for k, place in enumerate(places):
            j = frame - 8 + k
            assert valid[place] == (0 <= j < len(vectors))
            if valid[place]:
                assert (windows[place] == vectors[j]).all()


def test_runs_stay_within_a_take(corpus: Corpus) -> None:
    """Runs ascend by their stride, and never cross from one take to the next."""
    runs = corpus.draw_runs(50, 4, 2)
    assert (np.diff(runs, axis=1) == 2).all()
    assert ((runs < 40).all(axis=1) | (runs >= 40).all(axis=1)).all()


def test_runs_leave_out_incomplete_frames(takes: list[Take], corpus: Corpus) -> None:
    """A run needs all of its frames."""
    frames = tuple(frame for frame in takes[0].frames if frame not in (10, 11))
    gapped = Take(takes[0].dataset, frames, takes[0].mel)
    drawn = Corpus([gapped], corpus.faces[: len(frames)], np.random.default_rng(0)).draw_runs(60, 8, 1)
    ids = np.array(frames)[drawn]
    assert (np.diff(ids, axis=1) == 1).all()


def test_speech_of_runs_of_two_takes(corpus: Corpus, takes: list[Take]) -> None:
    """The layout of each run points to that run's own windows."""
    speech = corpus.speech(np.array([[20, 22], [60, 62]]))
    assert speech.windows.shape == (36, 1, 80, 16)
    assert speech.layout[0].tolist() == list(range(16))
    assert speech.layout[3].tolist() == list(range(20, 36))
    second = published_vectors(takes[1])
    assert torch.equal(speech.windows[speech.layout[2, 8], 0], torch.from_numpy(second[20].copy()))


def test_the_window_of_a_run(corpus: Corpus, takes: list[Take]) -> None:
    """For the encoder alone, each run has the one window that begins with its first frame."""
    windows = corpus.windows(np.array([[3, 4, 5], [50, 51, 52]]))
    assert windows.shape == (2, 1, 80, 16)
    assert torch.equal(windows[1, 0], torch.from_numpy(mel_windows(takes[1].mel, 11)[10].copy()))


def test_changes_are_applied_to_a_whole_run(corpus: Corpus) -> None:
    """What alters the sound sees each run once, not each window."""
    seen: list[tuple[int, ...]] = []

    def change(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        seen.append(mel.shape)
        return mel * 0

    speech = corpus.speech(np.array([[20, 21], [60, 61]]), change)
    assert not speech.windows.any()
    assert len(seen) == 2
    assert all(bands == 80 and 16 + 16 * 3 <= frames <= 16 + 17 * 4 for bands, frames in seen)


def test_pictures_and_thumbnails(corpus: Corpus) -> None:
    """Both are BGR, 0 to 1, channels first; a thumbnail pixel is the mean of its block."""
    pictures = corpus.pictures(np.array([5, 6]))
    assert pictures.shape == (2, 3, 320, 320)
    assert torch.equal(
        (pictures[0] * 255).round().byte(), torch.from_numpy(corpus.faces[5].copy()).permute(2, 0, 1)
    )
    thumbnails = corpus.thumbnails(40)
    assert thumbnails.shape == (72, 3, 40, 40)
    blocks = torch.nn.functional.avg_pool2d(pictures, 8)
    torch.testing.assert_close(thumbnails[5:7], blocks, atol=0.51 / 255, rtol=0)


def test_the_mean_face(corpus: Corpus) -> None:
    """Of a small corpus it is the mean of all faces, shrunk."""
    expected = corpus.thumbnails(40).mean(0)
    torch.testing.assert_close(corpus.mean_face(40), expected, atol=1 / 255, rtol=0)


def test_draws_follow_the_seed(takes: list[Take], corpus: Corpus) -> None:
    """The same seed draws the same."""
    first, second = (Corpus(takes, corpus.faces, np.random.default_rng(3)) for _ in range(2))
    assert (first.draw_runs(9, 4, 2) == second.draw_runs(9, 4, 2)).all()
    assert (first.draw_rows(9) == second.draw_rows(9)).all()
