"""export/footage/track.py"""

import av
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.track import read_track
from tests.export.films import RATE_HZ, skip_start, write_film, write_sound
from tests.export.recordings import beeps, grey_pictures, write_recording

BEEPS = beeps(2.0, RATE_HZ)
PICTURES = grey_pictures(50)


def onsets_s(sound, rate_hz=16_000):
    """When each beep begins, in seconds."""
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 2000)
    return loud[np.diff(loud, prepend=-rate_hz) > rate_hz // 10] / rate_hz


def tone(hz):
    return (8000 * np.sin(2 * np.pi * hz * np.arange(len(BEEPS)) / RATE_HZ)).astype(np.int16)


def read(path, start_s=0.0):
    """Return a video's sound and what is said about it."""
    track = read_track(path, start_s)
    return track.samples, [remark.text for remark in track.remarks]


@pytest.fixture
def film(tmp_path):
    """Write a film of some sound tracks."""

    def write(*sounds, default=0):
        write_film(tmp_path / "talk.mov", PICTURES, sounds, default)
        return tmp_path / "talk.mov"

    return write


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz_mono(tmp_path, rate_hz):
    """Stereo sound at any rate keeps its length, its level and the times of its beeps."""
    path = tmp_path / "talk.mkv"
    write_recording(path, PICTURES, np.arange(50) / 25, beeps(2.0, rate_hz), rate_hz)
    sound, remarks = read(path)
    assert sound.dtype == np.int16
    assert abs(len(sound) - 32_000) <= 32
    np.testing.assert_allclose(onsets_s(sound), [0, 0.5, 1, 1.5], atol=0.002)
    assert 7600 < sound.max() < 8400
    assert remarks == []


@pytest.mark.parametrize(("sound_s", "pictures_s", "late_s"), [(0.3, 0, 0.3), (0, 0.2, -0.2), (0.4, 0.4, 0)])
def test_sound_begins_with_the_first_picture(tmp_path, sound_s, pictures_s, late_s):
    """Where sound and pictures start apart, silence is put before the sound or its beginning is cut."""
    path = tmp_path / "talk.mkv"
    times_s = np.arange(50) / 25 + pictures_s
    write_recording(path, PICTURES, times_s, beeps(2.0), sound_starts_s=sound_s)
    expected = np.array([0, 0.5, 1, 1.5]) + late_s
    np.testing.assert_allclose(onsets_s(read(path, pictures_s)[0]), expected[expected >= 0], atol=0.002)


def test_what_an_edit_list_skips(film):
    """Sound that players skip at the start is skipped, to the sample."""
    path = film(BEEPS)
    skip_start(path, 10 * 512, round(0.4 * RATE_HZ))
    np.testing.assert_array_equal(read(path)[0], BEEPS[round(0.4 * RATE_HZ) :])


def test_no_sound_track(film):
    """A video without a sound track has none."""
    assert read_track(film(), 0.0) is None


@pytest.mark.parametrize("default", [0, 1])
def test_the_default_track(film, default):
    """Of several sound tracks the one is taken that players take, and that is said."""
    sounds = BEEPS, tone(440)
    sound, remarks = read(film(*sounds, default=default))
    np.testing.assert_array_equal(sound, sounds[default])
    assert remarks == [f"2 sound tracks, of which number {default + 1} was taken, the default one"]


def test_the_language_of_a_track(tmp_path):
    """Where the file names the language of the track that was taken, it is said."""
    write_film(tmp_path / "talk.mov", PICTURES, [BEEPS, BEEPS], language="eng")
    assert read(tmp_path / "talk.mov")[1] == [
        "2 sound tracks, of which number 1 (eng) was taken, the default one"
    ]


def test_no_default_track(film):
    """Where none of several is marked, the first is taken."""
    path = film(BEEPS, tone(440))
    path.write_bytes(path.read_bytes().replace(b"tkhd\0\0\0\3", b"tkhd\0\0\0\2"))
    sound, remarks = read(path)
    np.testing.assert_array_equal(sound, BEEPS)
    assert remarks == ["2 sound tracks, of which number 1 was taken, as none is marked as the default"]


@pytest.mark.parametrize(("right", "side"), [(-1.0, "left"), (-0.7, "left"), (-1.3, "right")])
def test_channels_that_cancel_each_other(film, right, side):
    """Of stereo whose one channel is the other's opposite, the louder channel is taken, and that is said."""
    channels = np.stack([BEEPS, (BEEPS * right).astype(np.int16)])
    sound, remarks = read(film(channels))
    np.testing.assert_array_equal(sound, channels[("left", "right").index(side)])
    assert remarks == [f"its channels cancel each other when mixed, so only the {side} one is heard"]


@pytest.mark.parametrize("right", [BEEPS, tone(440), np.zeros_like(BEEPS)], ids=["same", "other", "silent"])
def test_channels_that_do_not(film, right):
    """Other stereo is mixed without a word, with one silent channel, too."""
    sound, remarks = read(film(np.stack([BEEPS, right])))
    np.testing.assert_allclose(sound, (BEEPS.astype(int) + right) / 2, atol=1)
    assert remarks == []


def test_silence(film):
    """A track of zeros gives zeros."""
    sound, remarks = read(film(np.zeros((2, 1600), np.int16)))
    assert (len(sound), sound.any(), remarks) == (1600, False, [])


def write_paused(path, starts_s, length_s=0.5):
    """Write a recording whose sound is 440 Hz in pieces that begin at some times."""
    piece = tone(440)[: round(length_s * RATE_HZ)]
    with av.open(str(path), "w") as container:
        track = container.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono")
        for start_s in starts_s:
            write_sound(container, track, piece, start_s)
    return piece


def test_sound_that_cannot_be_mixed(film, monkeypatch):
    """What FFmpeg says of sound that it cannot mix or resample is told in a sentence."""

    def refuse(**arguments):
        raise av.error.InvalidDataError(1, "broken")

    monkeypatch.setattr(av, "AudioResampler", refuse)
    path = film(BEEPS)
    with pytest.raises(BadSource) as caught:
        read_track(path, 0.0)
    expected = "a video whose sound FFmpeg can mix and resample"
    assert str(caught.value) == f"{path}: expected {expected}, got broken"


def test_pauses(tmp_path):
    """Where the sound pauses, as a recorder's does that leaves silence out, it stays beside its pictures."""
    path = tmp_path / "talk.mkv"
    piece = write_paused(path, [0, 0.75, 1.25])
    sound, remarks = read(path)
    np.testing.assert_array_equal(sound, np.concatenate([piece, np.zeros(4000, np.int16), piece, piece]))
    assert remarks == ["its sound pauses, 0.25 s in all, and silence is put there"]


def test_pieces_that_overlap(tmp_path):
    """Where time stamps go back, no sound is put over another, and none moved."""
    path = tmp_path / "talk.mkv"
    piece = write_paused(path, [0, 0.25])
    sound, _ = read(path)
    np.testing.assert_array_equal(sound, np.concatenate([piece, piece[4000:]]))


def test_a_pause_of_years(tmp_path):
    """A damaged time stamp does not fill the memory with silence."""
    path = tmp_path / "talk.mkv"
    write_paused(path, [0, 4000])
    with pytest.raises(BadSource) as caught:
        read_track(path, 0.0)
    assert (
        str(caught.value) == f"{path}: expected sound without a pause of more than 60 s, got one of 3999.5 s"
    )


def test_sound_of_telephones(tmp_path):
    """Sound of fewer samples than are heard says what it lacks."""
    path = tmp_path / "talk.mkv"
    write_recording(path, PICTURES, np.arange(50) / 25, beeps(2.0, 8_000), 8_000)
    sound, remarks = read(path)
    np.testing.assert_allclose(onsets_s(sound), [0, 0.5, 1, 1.5], atol=0.002)
    assert remarks == ["its sound has 8000 samples a second, and nothing above 4000 Hz to be heard"]


def test_sound_of_hours(film, monkeypatch):
    """Sound longer than any clip is refused while it is decoded: a small file can hold days of silence."""
    path = film(BEEPS)
    monkeypatch.setattr("export.footage.track.LONGEST_S", 1)
    with pytest.raises(BadSource, match=r"talk\.mov: expected up to 1 s of sound, got more$"):
        read_track(path, 0.0)
