"""export/errors.py"""

import inspect
from pathlib import Path

import pytest

from export import errors
from export.errors import ExportError

ROOT = Path(__file__).parents[2]
PATH = Path("clip/5.lms")

SENTENCES = {
    errors.BadFile(PATH, "110 lines", "109 lines"): "clip/5.lms: expected 110 lines, got 109 lines",
    errors.BadCheckpoint(PATH, "a", "b"): "clip/5.lms: expected a, got b",
    errors.BadModel(PATH, "a", "b"): "clip/5.lms: expected a, got b",
    errors.BadMode(PATH, "a", "b"): "clip/5.lms: expected a, got b",
    errors.DiskFull(
        PATH, "no space left on device"
    ): "clip/5.lms: expected room on the disk to write it, got: no space left on device",
    errors.BadSource(PATH, "a", "b"): "clip/5.lms: expected a, got b",
    errors.BadName("a b"): (
        "expected an avatar name of 1 to 64 letters, digits, '-' or '_' that starts with a letter or digit, "
        "is not jpeg_encode or jpeg_live and does not end in _frames, _unet, _speech or _live, got 'a b'"
    ),
    errors.NameTaken(PATH, "dataset May"): (
        "clip/5.lms: expected a name that is free, or this package's already, got one of dataset May"
    ),
    errors.VerificationFailed("the export differs"): "the export differs",
    errors.EngineFailed("TensorRT cannot"): "TensorRT cannot",
    errors.MissingExtra("torch", "export"): "this needs torch: pip install 'triton-lipsync[export]'",
    errors.MissingFaceModels(): (
        "finding a face needs MediaPipe's model files: pip install --no-deps mediapipe==0.10.21"
    ),
}


def test_face_models_are_those_of_the_requirements():
    """The sentence names the version that ``requirements/detect.txt`` names."""
    assert f"\n{errors.FACE_MODELS} \\\n" in (ROOT / "requirements" / "detect.txt").read_text()


def test_every_error_has_its_sentence_here():
    """The table covers every class of the module but the base."""
    classes = {cls for _, cls in inspect.getmembers(errors, inspect.isclass)} - {ExportError, Path}
    assert {type(error) for error in SENTENCES} == classes


@pytest.mark.parametrize("error", SENTENCES, ids=lambda error: type(error).__name__)
def test_sentences(error):
    """Each error says its sentence, without a full stop, and stands in the printed tree and in ``__all__``."""
    assert str(error) == SENTENCES[error]
    assert isinstance(error, ExportError)
    assert f"─ {type(error).__name__} " in f"{errors.__doc__} ".replace("\n", " \n")
    assert type(error).__name__ in errors.__all__


def test_a_bad_file_keeps_its_facts():
    """An error about a file holds path, expected and got."""
    error = errors.BadSource(PATH, "110 lines", "109 lines")
    assert (error.path, error.expected, error.got) == (PATH, "110 lines", "109 lines")


def test_a_sentence_has_an_end():
    """What a file holds is shown, but not all of it: a name in it may have any length."""
    sentence = str(errors.BadCheckpoint(Path("a.pth"), "weights", "a" * 100_000))
    assert sentence == f"a.pth: expected weights, got {'a' * 1000}"
