"""export/footage/sound.py"""

import wave

import numpy as np
import pytest

from export.errors import BadSource
from export.footage import track
from export.footage.sound import (
    find_track,
    find_wav,
    fit_length,
    read_sound,
)
from export.footage.track import read_track
from speech.wav import write_wav
from tests.export.recordings import beeps, grey_pictures, write_recording

TIMES_S = np.arange(50) / 25


def record(path, sound):
    write_recording(path, grey_pictures(50), TIMES_S, sound)
    return path


def test_no_sound_track(tmp_path):
    """A video without a sound track says so."""
    path = record(tmp_path / "talk.mkv", None)
    with pytest.raises(BadSource) as caught:
        read_sound(path, 0.0)
    assert str(caught.value) == f"{path}: expected a video with sound, got one without a sound track"


@pytest.mark.parametrize("level", [0, 20])
def test_silence(tmp_path, level):
    """A sound track that never exceeds -60 dB says that it is silent."""
    path = record(tmp_path / "talk.mkv", np.full(96_000, level, np.int16))
    with pytest.raises(BadSource) as caught:
        read_sound(path, 0.0)
    assert (
        str(caught.value)
        == f"{path}: expected a video with speech, got a sound track that is silent throughout"
    )


def test_a_broken_track(tmp_path, monkeypatch):
    """A sound track of which nothing comes says so."""
    path = record(tmp_path / "talk.mkv", beeps(2.0))
    monkeypatch.setattr(track, "decode", lambda *arguments: iter(()))
    with pytest.raises(BadSource) as caught:
        read_sound(path, 0.0)
    got = "a sound track of which nothing can be decoded"
    assert str(caught.value) == f"{path}: expected a video with sound, got {got}"


def test_speech(tmp_path):
    """A video with sound gives that of its track, from the first picture on."""
    path = record(tmp_path / "talk.mkv", beeps(2.0))
    for start_s in (0.0, 0.5):
        expected = read_track(path, start_s)
        for found in (read_sound(path, start_s), find_track(path, start_s)):
            np.testing.assert_array_equal(found.samples, expected.samples)


@pytest.mark.parametrize("samples", [16_100, 32_000, 32_700, 47_900])
def test_length_fits_the_pictures(tmp_path, samples):
    """Sound up to a second shorter or longer becomes exactly 640 samples a frame, silent where there was none."""
    sound = np.arange(1, samples + 1, dtype=np.int16)
    fitted = fit_length(tmp_path, sound, 50)
    assert fitted.shape == (32_000,)
    np.testing.assert_array_equal(fitted[:samples], sound[:32_000])
    assert not fitted[samples:].any()


@pytest.mark.parametrize(("samples", "got"), [(15_000, "0.94"), (49_000, "3.06")])
def test_another_length_is_refused(tmp_path, samples, got):
    """Sound more than a second shorter or longer is of another clip, or half of it is missing."""
    path = tmp_path / "talk.mp4"
    with pytest.raises(BadSource) as caught:
        fit_length(path, np.ones(samples, np.int16), 50)
    assert str(caught.value) == (
        f"{path}: expected 2.00 s of sound like of pictures (give or take 1 s), got {got} s"
    )


def test_a_track_that_may_be_there(tmp_path):
    """A video without a sound track gives an empty one, and nothing to be said."""
    found = find_track(record(tmp_path / "mute.mkv", None), 0.0)
    assert (found.samples.size, found.samples.dtype, found.remarks) == (0, np.int16, ())


def test_a_wav_that_may_be_there(tmp_path):
    """The samples of ``aud.wav`` are taken as they are, from one end of the range to the other."""
    assert find_wav(tmp_path).size == 0
    sound = np.array([-32768, -1, 0, 1, 32767], np.int16)
    write_wav(tmp_path / "aud.wav", sound)
    found = find_wav(tmp_path)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, sound)


def test_a_broken_wav(tmp_path):
    """An ``aud.wav`` that is none is refused."""
    (tmp_path / "aud.wav").write_bytes(b"RIFF of nothing")
    with pytest.raises(BadSource, match=r"aud\.wav: expected a PCM WAV file of 8, 16, 24 or 32 bits, got "):
        find_wav(tmp_path)


def test_wav(tmp_path):
    """The WAV file holds the samples at 16 kHz mono, 16 bits each."""
    path, sound = tmp_path / "sound.wav", beeps(0.1, 16_000)
    write_wav(path, sound)
    with wave.open(str(path)) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 1600)
        np.testing.assert_array_equal(np.frombuffer(file.readframes(1600), "<i2"), sound)
