import ctypes.util
import wave

import numpy as np
import pytest

from demo import recording as recording_module
from demo.errors import BadRecording, SpeechUnavailable
from demo.recording import HELD_OUT_PEOPLE, NAMES, excerpt, main, read_recording, write_recording
from demo.visemes import KNOWN, mouth_poses
from demo.voices import Phoneme, Speech

SPEECH = Speech(np.arange(-800, 800, dtype=np.int16), (Phoneme("_", 0, 0.04), Phoneme("a", 0.04, 0.1)))


@pytest.mark.parametrize("name", [*NAMES, *HELD_OUT_PEOPLE])
def test_recordings_that_ship_are_whole(name):
    """Each holds sound and phonemes of the same length, in order, all known, and a mouth follows from them."""
    speech = read_recording(name)
    assert len(speech.sound) % 640 == 0
    assert speech.phonemes[-1].end_s == pytest.approx(speech.duration_s, abs=1e-4)
    times = [t for p in speech.phonemes for t in (p.start_s, p.end_s)]
    assert times == sorted(times)
    assert {p.name.rstrip("#-") for p in speech.phonemes} <= KNOWN
    frames = len(speech.sound) // 640
    opening = np.array([pose.opening for pose in mouth_poses(speech.phonemes, frames)])
    assert opening.max() > 0.6
    assert 0.1 < (opening == 0).mean() < 0.4


def test_served_recording_has_the_length_of_the_clip():
    """The served clip has 523 frames or more."""
    assert len(read_recording("served").sound) // 640 >= 523


def test_an_excerpt_is_the_beginning():
    """Sound and phonemes end together, the last phoneme cut where the sound is."""
    begun = excerpt(SPEECH, 0.05)
    np.testing.assert_array_equal(begun.sound, SPEECH.sound[:800])
    assert begun.phonemes == (Phoneme("_", 0, 0.04), Phoneme("a", 0.04, 0.05))


def test_recordings_are_small():
    """Sound and phonemes together are under 2.7 MB."""
    assert sum(path.stat().st_size for path in recording_module.FOLDER.iterdir()) < 2_700_000


def test_what_is_written_reads_back(tmp_path):
    """Samples come back as they were, phonemes to a hundredth of a millisecond."""
    write_recording("mine", SPEECH, tmp_path)
    back = read_recording("mine", tmp_path)
    np.testing.assert_array_equal(back.sound, SPEECH.sound)
    assert back.phonemes == SPEECH.phonemes


def test_missing_recording_is_named(tmp_path):
    """The error names the file."""
    with pytest.raises(BadRecording, match=r"mine\.wav: expected a recording .* got FileNotFoundError"):
        read_recording("mine", tmp_path)


def test_other_sound_is_refused(tmp_path):
    """A WAV file of another rate or with two channels is refused with what it has."""
    write_recording("mine", SPEECH, tmp_path)
    with wave.open(str(tmp_path / "mine.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(bytes(400))
    with pytest.raises(BadRecording, match=r"got 44100 Hz, 2 channels, 16 bits$"):
        read_recording("mine", tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"phonemes": [["a", 0]]}', '{"phonemes": 3}'])
def test_broken_phonemes_are_refused(tmp_path, text):
    """A phoneme file that is cut short or of another form is named."""
    write_recording("mine", SPEECH, tmp_path)
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(BadRecording, match=r"mine\.json: expected a recording"):
        read_recording("mine", tmp_path)


def test_without_espeak_the_command_says_so(monkeypatch, capsys):
    """The command that speaks again ends with status 1 and one sentence where espeak-ng is missing."""

    def fail():
        raise SpeechUnavailable("espeak-ng")

    monkeypatch.setattr(recording_module.script, "served", fail)
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("python -m demo.recording: speech is made with espeak-ng")


@pytest.mark.skipif(ctypes.util.find_library("espeak-ng") is None, reason="needs espeak-ng")
def test_command_speaks_both_again(monkeypatch, tmp_path, capsys):
    """Spoken again, both recordings are as long as those that ship, and as long as the command says."""
    expected = {name: read_recording(name).duration_s for name in NAMES}
    monkeypatch.setattr(recording_module, "FOLDER", tmp_path)
    monkeypatch.setattr(recording_module.cast, "heldout", lambda: [("heldout_flite", SPEECH)])
    assert main([]) == 0
    assert read_recording("heldout_flite", tmp_path).phonemes == SPEECH.phonemes
    said = capsys.readouterr().out
    for name in NAMES:
        duration_s = read_recording(name, tmp_path).duration_s
        assert duration_s == pytest.approx(expected[name], rel=0.05)
        assert f"wrote {tmp_path / name}.wav: {duration_s:.2f} s" in said


def test_command_with_a_folder_speaks_the_training_takes(monkeypatch, tmp_path):
    """Given a folder, the command writes one recording for each voice there, and leaves those that ship."""
    monkeypatch.setattr(recording_module, "FOLDER", tmp_path / "ships")
    monkeypatch.setattr(recording_module.script, "training", lambda _seconds: [SPEECH, SPEECH])
    assert main([str(tmp_path / "spoken"), "--seconds", "60"]) == 0
    assert read_recording("train_2", tmp_path / "spoken").phonemes == SPEECH.phonemes
    assert not (tmp_path / "ships").exists()
