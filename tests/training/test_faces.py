from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.errors import BadSource
from tests.training.conftest import write_take
from training.faces import cached_faces
from training.takes import Take, open_take


def test_faces_of_all_takes_in_turn(takes: list[Take], tmp_path: Path) -> None:
    """Row 40 is frame 0 of the second take, and every row is the frame's own cut."""
    faces = cached_faces(tmp_path, takes)
    assert faces.shape == (72, 320, 320, 3)
    assert faces.dtype == np.uint8
    assert (faces[7] == takes[0].dataset.read_frame(7).face).all()
    assert (faces[40] == takes[1].dataset.read_frame(0).face).all()


def test_cut_once(takes: list[Take], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call only maps the file."""
    first = cached_faces(tmp_path, takes)
    monkeypatch.setattr("export.footage.dataset.Dataset.read_frame", None)
    assert (cached_faces(tmp_path, takes) == first).all()


def test_a_changed_dataset_is_cut_again(tmp_path: Path) -> None:
    """A picture that was replaced makes the cache stale; only the newest is kept."""
    folder = write_take(tmp_path / "take")
    before = cached_faces(tmp_path / "cache", [open_take(folder)])[0].copy()
    picture = folder / "full_body_img" / "0.jpg"
    picture.write_bytes((folder / "full_body_img" / "9.jpg").read_bytes())
    assert (cached_faces(tmp_path / "cache", [open_take(folder)])[0] != before).any()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_picture_that_is_none(tmp_path: Path) -> None:
    """A file of other bytes is named, and no half cache stays."""
    folder = write_take(tmp_path / "take")
    (folder / "full_body_img" / "30.jpg").write_bytes(b"no picture")
    with pytest.raises(
        BadSource, match=r"30\.jpg: expected a whole JPEG picture, got 10 bytes that are none"
    ):
        cached_faces(tmp_path / "cache", [open_take(folder)])
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(("kept", "zeros"), [(0, 0), (0.5, 0), (0.99, 0), (0.9, 40_000)])
def test_a_half_written_picture(tmp_path: Path, kept: float, zeros: int) -> None:
    """A picture that is not whole is refused, as the importer does: its grey would be learnt as a face."""
    folder = write_take(tmp_path / "take")
    path = folder / "full_body_img" / "30.jpg"
    data = path.read_bytes()
    cut = data[: int(len(data) * kept)] + bytes(zeros)
    path.write_bytes(cut)
    with pytest.raises(BadSource) as error:
        cached_faces(tmp_path / "cache", [open_take(folder)])
    assert str(error.value) == f"{path}: expected a whole JPEG picture, got {len(cut)} bytes that are none"
