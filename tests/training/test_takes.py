from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from export.errors import BadSource
from speech.errors import BadSound
from tests.training.conftest import write_sound, write_take
from training.takes import _check_gaps, open_take


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_take(tmp_path / "take")


def remove(folder: Path, part: str, *numbers: int) -> None:
    suffix = {"full_body_img": "jpg", "landmarks": "lms"}[part]
    for number in numbers:
        (folder / part / f"{number}.{suffix}").unlink()


def test_a_whole_take(take_folder: Path) -> None:
    """Forty frames, the mel spectrogram of their 1.6 s, and a feature vector count that fits."""
    take = open_take(take_folder)
    assert take.frames == tuple(range(40))
    assert take.mel.shape == (80, 129)
    assert take.vector_count == int((129 - 16) / 80 * 25) + 2 + 2


def test_short_gaps_are_left_out_and_told(folder: Path) -> None:
    """Up to five frames in a row may be incomplete: they are not trained on, and the user learns which."""
    remove(folder, "full_body_img", 3, 4)
    remove(folder, "landmarks", 5, 20)
    lines: list[str] = []
    take = open_take(folder, lines.append)
    assert set(range(40)) - set(take.frames) == {3, 4, 5, 20}
    assert lines == [f"{folder}: 4 of 40 frames are incomplete and left out (3, 4, 5, 20)"]


def test_a_long_gap_is_refused(folder: Path) -> None:
    """Six frames in a row without pictures are a broken dataset; the message counts."""
    remove(folder, "full_body_img", *range(10, 16))
    with pytest.raises(BadSource) as error:
        open_take(folder)
    assert str(error.value) == (
        f"{folder}: expected a picture and landmarks for each of 40 frames (gaps of up to 5 are left out), got "
        "34 pictures, 40 landmark files and 6 incomplete frames, 6 of them in a row from 10 on"
    )


def test_many_short_gaps_are_refused(folder: Path) -> None:
    """More than a tenth of the frames must not be incomplete."""
    remove(folder, "landmarks", *range(0, 40, 8))
    with pytest.raises(
        BadSource, match="35 landmark files and 5 incomplete frames, 1 of them in a row from 0 on"
    ):
        open_take(folder)


@pytest.mark.parametrize("part", ["full_body_img", "landmarks"])
def test_no_files_of_a_kind(folder: Path, part: str) -> None:
    """Pictures and landmarks must both be there."""
    remove(folder, part, *range(40))
    with pytest.raises(BadSource, match=rf"{part}: expected files 0\.\w+, 1\.\w+, …, got none"):
        open_take(folder)
    (folder / part).rmdir()
    with pytest.raises(BadSource, match="got nothing there"):
        open_take(folder)


def test_sound_of_another_length(folder: Path) -> None:
    """Sound for 60 frames does not belong to 40 pictures."""
    write_sound(folder / "aud.wav", np.ones(60))
    with pytest.raises(
        BadSource, match=r"expected sound for 40 frames \(1\.6 s, .*\), got sound for 59 frames"
    ):
        open_take(folder)


def test_silent_and_absent_sound(folder: Path) -> None:
    """A network cannot learn to listen to nothing."""
    write_sound(folder / "aud.wav", np.zeros(40))
    with pytest.raises(BadSound, match=r"aud\.wav: expected speech, got 1\.6 s of silence"):
        open_take(folder)
    (folder / "aud.wav").unlink()
    with pytest.raises(BadSound, match="got nothing there"):
        open_take(folder)


def test_a_take_too_short(tmp_path: Path) -> None:
    """Twenty frames are not enough to train on."""
    with pytest.raises(BadSource, match=r"expected at least 25 frames, got 20 frames and 0\.8 s of sound"):
        open_take(write_take(tmp_path / "short", 20))


@pytest.mark.parametrize("name", ["².jpg", "007.jpg", "٣.jpg", f"{'9' * 200}.jpg"])
def test_files_that_are_no_frames(folder: Path, name: str) -> None:
    """Files that are not numbered as the importer numbers them are passed over, as the importer does."""
    (folder / "full_body_img" / name).write_bytes((folder / "full_body_img" / "0.jpg").read_bytes())
    assert open_take(folder, pytest.fail).frames == tuple(range(40))


def test_a_number_far_from_the_others(folder: Path) -> None:
    """A stray file of a great number is refused at once, without a list of all that lie between."""
    (folder / "landmarks" / "999999999.lms").touch()
    with pytest.raises(
        BadSource, match=r"got 40 pictures, 41 landmark files and 999999960 incomplete frames"
    ):
        open_take(folder)


@pytest.mark.parametrize(("incomplete", "refused"), [(10, False), (11, True)])
def test_a_tenth_may_be_incomplete(incomplete: int, refused: bool) -> None:
    """Ten single frames of a hundred are left out, eleven are too many."""
    gaps = [range(9 * number, 9 * number + 1) for number in range(incomplete)]
    with pytest.raises(BadSource) if refused else contextlib.nullcontext():
        _check_gaps(Path("take"), gaps, 100, 100 - incomplete, 100)
