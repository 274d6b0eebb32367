import itertools
import wave

import cv2
import numpy as np
import pytest

from demo import dataset as dataset_module
from demo.dataset import main, write_take
from demo.errors import SpeechUnavailable
from demo.geometry import mouth_size
from demo.landmarks import LANDMARKS
from demo.recording import write_recording
from demo.visemes import mouth_poses
from demo.voices import Phoneme, Speech
from demo.weights import AUDIO_ENCODER_PATH

FRAMES = 25
PHONEMES = (Phoneme("_", 0, 0.3), Phoneme("A:", 0.3, 0.6), Phoneme("m", 0.6, 0.7), Phoneme("_", 0.7, 1.0))
SPEECH = Speech(np.arange(16_000, dtype=np.int16), PHONEMES)


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset") / "takes" / "served"
    write_take(folder, SPEECH, seed=5, quiet=True)
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """Takes are written without their pictures, which are slow."""
    monkeypatch.setattr(dataset_module, "_draw", lambda *_: None)


def test_folder_has_the_form_of_training_repositories(take):
    """Pictures and landmarks are numbered from 0; there is the sound, the truth, and nothing else."""
    assert sorted(p.name for p in take.iterdir()) == ["aud.wav", "full_body_img", "landmarks", "mouth.npy"]
    for folder, suffix in (("full_body_img", ".jpg"), ("landmarks", ".lms")):
        assert {p.name for p in (take / folder).iterdir()} == {f"{i}{suffix}" for i in range(FRAMES)}
    assert [p.name for p in take.parent.iterdir()] == ["served"]


def test_pictures_are_512_wide_and_landmarks_lie_in_them(take):
    """Each picture is 512x512, each landmark file has 110 lines of two integers within it."""
    for i in (0, 11, 24):
        assert cv2.imread(str(take / "full_body_img" / f"{i}.jpg")).shape == (512, 512, 3)
        lines = (take / "landmarks" / f"{i}.lms").read_text().splitlines()
        points = np.array([tuple(map(int, line.split(" "))) for line in lines])
        assert points.shape == (LANDMARKS, 2)
        assert 0 <= points.min() <= points.max() < 512


def test_sound_is_what_was_said(take):
    """aud.wav is 16 kHz, mono, 16 bits, 640 samples to a frame, sample for sample."""
    with wave.open(str(take / "aud.wav"), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    np.testing.assert_array_equal(sound, SPEECH.sound)
    assert len(sound) == 640 * FRAMES


def test_truth_is_one_row_per_frame(take):
    """mouth.npy holds opening, width and rounding of each frame, float32."""
    truth = np.load(take / "mouth.npy")
    expected = [mouth_size(mouth) for mouth in mouth_poses(PHONEMES, FRAMES)]
    assert truth.dtype == np.float32
    np.testing.assert_allclose(truth, expected, atol=1e-6)
    assert truth[:, 0].max() > 0.6


def test_processes_change_nothing(take, tmp_path):
    """Drawn by two processes, the take is the same to the byte."""
    write_take(tmp_path / "again", SPEECH, seed=5, processes=2, quiet=True)
    for path in take.rglob("*.*"):
        assert (tmp_path / "again" / path.relative_to(take)).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_failure_keeps_the_older_take(tmp_path, monkeypatch, error):
    """Whatever stops the drawing half-way, the older folder stays, and nothing half-written."""
    (tmp_path / "take").mkdir()
    (tmp_path / "take" / "older").touch()
    counter = itertools.count()

    def fail(*_):
        if next(counter) == 3:
            raise error

    monkeypatch.setattr(dataset_module, "_draw", fail)
    with pytest.raises(type(error)):
        write_take(tmp_path / "take", SPEECH, seed=0, quiet=True)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["take", "take/older"]


@pytest.mark.parametrize(
    ("take_name", "folders"),
    [("served", ["served"]), ("heldout", ["heldout"]), ("train", ["train_1", "train_2"])],
)
def test_command_writes_the_takes_asked_for(tmp_path, monkeypatch, undrawn, take_name, folders):
    """``--take`` chooses: one folder for served and heldout, one for each voice for train."""
    monkeypatch.setattr(dataset_module, "read_recording", lambda _name: SPEECH)
    monkeypatch.setattr(dataset_module.script, "training", lambda _seconds: [SPEECH, SPEECH])
    assert main([str(tmp_path / "out"), "--take", take_name, "--processes", "1"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == folders


def test_a_take_that_is_heard(tmp_path, monkeypatch, undrawn):
    """With an audio encoder, a take has the feature vectors an import asks for: one a frame, give or take two."""
    monkeypatch.setattr(dataset_module, "read_recording", lambda _name: SPEECH)
    options = ["--take", "served", "--processes", "1", "--audio-encoder", str(AUDIO_ENCODER_PATH)]
    assert main([str(tmp_path / "out"), *options]) == 0
    vectors = np.load(tmp_path / "out" / "served" / "aud_ave.npy")
    assert vectors.dtype == np.float32
    assert abs(len(vectors) - FRAMES) <= 2


def test_an_encoder_that_is_none_is_one_sentence(tmp_path, capsys):
    """A file that is not there ends with status 1 and is named."""
    assert main([str(tmp_path / "out"), "--audio-encoder", str(tmp_path / "none.onnx")]) == 1
    assert f"{tmp_path / 'none.onnx'}: expected an ONNX audio encoder" in capsys.readouterr().err


def test_takes_move_their_heads_differently(tmp_path, monkeypatch):
    """Two training takes of the same sound differ in their landmarks, and not in their mouths."""
    monkeypatch.setattr(dataset_module.script, "training", lambda _seconds: [SPEECH, SPEECH])
    assert main([str(tmp_path), "--take", "train", "--processes", "1"]) == 0
    one, other = tmp_path / "train_1", tmp_path / "train_2"
    assert (one / "landmarks/9.lms").read_text() != (other / "landmarks/9.lms").read_text()
    assert (one / "mouth.npy").read_bytes() == (other / "mouth.npy").read_bytes()


def test_training_takes_can_be_spoken_elsewhere(tmp_path, undrawn):
    """With ``--recordings``, training takes are drawn from their recordings, without espeak-ng."""
    write_recording("train_1", SPEECH, tmp_path / "spoken")
    options = ["--take", "train", "--recordings", str(tmp_path / "spoken"), "--processes", "1"]
    assert main([str(tmp_path / "out"), *options]) == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["train_1"]


def test_folder_without_recordings_is_one_sentence(tmp_path, capsys):
    """A folder of no training takes ends with status 1 and names the file that was looked for."""
    assert main([str(tmp_path / "out"), "--take", "train", "--recordings", str(tmp_path)]) == 1
    assert f"{tmp_path / 'train_1.wav'}: expected a recording" in capsys.readouterr().err


def test_missing_espeak_is_one_sentence(tmp_path, monkeypatch, capsys):
    """Without espeak-ng, training takes end with status 1 and one sentence."""

    def fail(_seconds):
        raise SpeechUnavailable("libespeak-ng.so.1: install espeak-ng")

    monkeypatch.setattr(dataset_module.script, "training", fail)
    assert main([str(tmp_path), "--take", "train"]) == 1
    assert capsys.readouterr().err == (
        "python -m demo.dataset: speech is made with espeak-ng, "
        "but this is missing: libespeak-ng.so.1: install espeak-ng\n"
    )


def test_unwritable_place_is_one_sentence(tmp_path, capsys):
    """A place that cannot be a folder ends with status 1 and is named."""
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path / "file" / "out"), "--take", "served"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("python -m demo.dataset: ")
    assert str(tmp_path / "file") in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("options", [("--seconds", "0"), ("--seconds", "x"), ("--processes", "0")])
def test_bad_number_is_refused(tmp_path, capsys, options):
    """Seconds and processes must be numbers above 0; the sentence says what came."""
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), *options])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert options[0] in error
    assert f"got {options[1]!r}" in error
