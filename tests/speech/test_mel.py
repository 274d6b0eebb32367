from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speech.mel import mel_spectrogram, mel_windows, window_count, window_starts

VECTORS = Path(__file__).parents[1] / "data" / "mel_parity.npz"


def test_equals_the_reference() -> None:
    """Three seconds of sound give the mel spectrogram of the published front end."""
    with np.load(VECTORS) as vectors:
        mel = mel_spectrogram(vectors["pcm"].astype(np.float32) / 32768)
        assert mel.dtype == np.float32
        np.testing.assert_allclose(mel, vectors["mel"], rtol=0, atol=2e-5)


def test_silence_is_the_floor() -> None:
    """Zeros give -4 in every band and frame, one frame per 200 samples and one more."""
    mel = mel_spectrogram(np.zeros(16_000, np.float32))
    assert mel.shape == (80, 81)
    assert (mel == -4).all()


def test_no_sound_is_above_4() -> None:
    """However loud a sound is, 4 is the most: the encoder was trained on no more."""
    tone = np.sin(2 * np.pi * 2500 * np.arange(16_000) / 16_000).astype(np.float32)
    mel = mel_spectrogram(100 * tone)
    assert mel.max() == 4
    assert mel_spectrogram(tone).max() < 4


def test_a_tone_lies_in_its_band() -> None:
    """A 1 kHz tone is loudest in the band around 1 kHz: 15 mel by Slaney's scale, of 0.825 to 46.8 in 81 steps."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000).astype(np.float32)
    highest_mel = 15 + np.log(7600 / 1000) / (np.log(6.4) / 27)
    lowest_mel = 55 / (200 / 3)
    centres = np.linspace(lowest_mel, highest_mel, 82)[1:-1]
    assert mel_spectrogram(tone)[:, 40].argmax() == np.abs(centres - 15).argmin()


@pytest.mark.parametrize(
    ("mel_frames", "expected"), [(15, 0), (16, 2), (19, 2), (20, 3), (241, 72), (1601, 497)]
)
def test_window_count(mel_frames: int, expected: int) -> None:
    """int((T - 16) / 80 * 25) + 2 windows, and none of a sound shorter than one."""
    assert window_count(mel_frames) == expected


def test_windows_start_at_their_frame() -> None:
    """Frame i's window starts at mel frame int(80 i / 25); past the end it is the last 16."""
    assert window_starts(40, 12).tolist() == [0, 3, 6, 9, 12, 16, 19, 22, 24, 24, 24, 24]
    mel = np.broadcast_to(np.arange(40, dtype=np.float32), (80, 40))
    windows = mel_windows(mel, 12)
    assert windows.shape == (12, 80, 16)
    assert windows[6, 0].tolist() == list(range(19, 35))
    assert windows[11, 79].tolist() == list(range(24, 40))
