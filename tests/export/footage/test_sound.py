"""export/footage/sound.py"""

import sys
import wave

import numpy as np
import pytest

from export.errors import BadSource, MissingExtra
from export.footage.sound import (
    find_track,
    find_wav,
    fit_length,
    read_sound,
)
from speech.wav import write_wav
from tests.export.recordings import beeps, grey_pictures, write_recording

TIMES_S = np.arange(50) / 25


def onsets_s(sound, rate_hz=16_000):
    """When each beep begins, in seconds."""
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 2000)
    return loud[np.diff(loud, prepend=-rate_hz) > rate_hz // 10] / rate_hz


def record(path, sound, rate_hz=48_000, starts_s=0.0, pictures_start_s=0.0):
    write_recording(path, grey_pictures(50), TIMES_S + pictures_start_s, sound, rate_hz, starts_s)
    return path


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz_mono(tmp_path, rate_hz):
    """Stereo sound at any rate keeps its length, its level and the times of its beeps."""
    sound = read_sound(record(tmp_path / "talk.mkv", beeps(2.0, rate_hz), rate_hz))
    assert sound.dtype == np.int16
    assert abs(len(sound) - 32_000) <= 32
    np.testing.assert_allclose(onsets_s(sound), [0, 0.5, 1, 1.5], atol=0.002)
    assert 7600 < sound.max() < 8400


@pytest.mark.parametrize(("sound_s", "pictures_s", "late_s"), [(0.3, 0, 0.3), (0, 0.2, -0.2), (0.4, 0.4, 0)])
def test_sound_begins_with_the_first_picture(tmp_path, sound_s, pictures_s, late_s):
    """Where sound and pictures start apart, silence is put before the sound or its beginning is cut."""
    sound = read_sound(
        record(tmp_path / "talk.mkv", beeps(2.0), starts_s=sound_s, pictures_start_s=pictures_s)
    )
    expected = np.array([0, 0.5, 1, 1.5]) + late_s
    np.testing.assert_allclose(onsets_s(sound), expected[expected >= 0], atol=0.002)


def test_no_sound_track(tmp_path):
    """A video without a sound track says so."""
    path = record(tmp_path / "talk.mkv", None)
    with pytest.raises(BadSource) as caught:
        read_sound(path)
    assert str(caught.value) == f"{path}: expected a video with sound, got one without a sound track"


@pytest.mark.parametrize("level", [0, 20])
def test_silence(tmp_path, level):
    """A sound track that never exceeds -60 dB says that it is silent."""
    path = record(tmp_path / "talk.mkv", np.full(96_000, level, np.int16))
    with pytest.raises(BadSource) as caught:
        read_sound(path)
    assert (
        str(caught.value)
        == f"{path}: expected a video with speech, got a sound track that is silent throughout"
    )


def test_no_video(tmp_path):
    """A file that FFmpeg cannot read is refused in one sentence."""
    pytest.importorskip("av")
    path = tmp_path / "talk.mp4"
    path.write_bytes(b"no video" * 100)
    with pytest.raises(BadSource) as caught:
        read_sound(path)
    assert str(caught.value).startswith(f"{path}: expected a video whose sound FFmpeg can decode, got ")


def test_without_pyav(tmp_path, monkeypatch):
    """Where PyAV is not installed, the sentence says what to install."""
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtra) as caught:
        read_sound(tmp_path / "talk.mp4")
    assert str(caught.value) == "this needs PyAV: pip install 'triton-lipsync[video]'"


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


def test_a_track_that_may_be_there(tmp_path, monkeypatch):
    """A video's sound is found, and is empty without a track and without PyAV."""
    path = record(tmp_path / "talk.mkv", beeps(2.0))
    np.testing.assert_array_equal(find_track(path), read_sound(path))
    assert find_track(record(tmp_path / "mute.mkv", None)).size == 0
    monkeypatch.setitem(sys.modules, "av", None)
    assert find_track(path).size == 0


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
