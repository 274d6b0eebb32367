"""export/footage/package_video.py"""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.package_video import open_video, read_pictures
from tests.export.films import turn, write_film
from tests.export.recordings import grey_pictures
from tests.export.sources import smooth_picture, write_video


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "video.avi"
    write_video(path, [smooth_picture(index) for index in range(4)])
    return path


def test_pictures_come_in_order(clip):
    """Each picture equals what was written, in BGR, up to the count."""
    assert open_video(clip) == (256, 224)
    np.testing.assert_array_equal(list(read_pictures(clip, 3)), [smooth_picture(index) for index in range(3)])


def test_pictures_are_what_opencv_decodes(tmp_path):
    """What a container says about showing its pictures is left aside: they are what the predecessor stored."""
    path = tmp_path / "full_body_video.mov"
    write_film(path, [smooth_picture(0, 120, 80)], aspect=Fraction(2))
    turn(path, -1, 0, 0, -1)
    assert open_video(path) == (120, 80)
    _, decoded = cv2.VideoCapture(str(path)).read()
    np.testing.assert_array_equal(next(read_pictures(path, 1)), decoded)
    np.testing.assert_array_equal(decoded, smooth_picture(0, 120, 80))


def test_a_video_that_ends_early(clip):
    """A video shorter than the count yields what it has, then says how much that was."""
    pictures = read_pictures(clip, 6)
    assert [next(pictures).shape for _ in range(4)] == [(224, 256, 3)] * 4
    with pytest.raises(BadSource) as caught:
        next(pictures)
    assert str(caught.value) == f"{clip}: expected a video of at least 6 frames, got 4 that can be decoded"


def test_no_video(tmp_path):
    """Bytes that are no video, and a file that is not there, are named."""
    path = tmp_path / "video.mp4"
    with pytest.raises(BadSource, match="expected a video file, got nothing there"):
        open_video(path)
    path.write_bytes(b"not a video at all")
    with pytest.raises(BadSource, match="is MP4, MOV, AVI, MKV or WebM, got 18 bytes of something else"):
        open_video(path)


def test_a_name_that_looks_like_a_protocol(tmp_path, monkeypatch):
    """FFmpeg, which takes what stands before a colon for a protocol, sees a file."""
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "talk.mov", grey_pictures(3))
    (tmp_path / "talk.mov").rename("talk-12:30.mov")
    assert len(list(read_pictures(Path("talk-12:30.mov"), 3))) == 3


def test_pictures_that_are_too_large(tmp_path):
    """A header that claims pictures of more pixels than can be held is refused before one is decoded."""
    path = tmp_path / "video.mov"
    write_film(path, [smooth_picture(0, 9000, 16)])
    for read in (open_video, lambda path: next(read_pictures(path, 1))):
        with pytest.raises(BadSource, match=r"8192 pixels a side, 36 million in all, got 9000x16$"):
            read(path)
