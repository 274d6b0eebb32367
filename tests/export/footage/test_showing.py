"""export/footage/showing.py"""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from export.errors import BadSource, MissingFaceModels
from export.footage import video
from export.footage.detect import MediaPipeFaceFinder
from export.footage.video import open_video, read_pictures
from tests.export.cases import CASES
from tests.export.films import turn, write_film
from tests.export.sources import smooth_picture

PICTURE = smooth_picture(1, 120, 80)


def shown(tmp_path, *matrix, aspect=Fraction(1)):
    """Return PICTURE as it is shown, and what is said about it."""
    path = tmp_path / "talk.mov"
    write_film(path, [PICTURE], aspect=aspect)
    if matrix:
        turn(path, *matrix)
    return next(read_pictures(path, 1)), [remark.text for remark in open_video(path).remarks]


@pytest.mark.parametrize(
    ("matrix", "expected", "words"),
    [
        ((0, 1, -1, 0), cv2.rotate(PICTURE, cv2.ROTATE_90_CLOCKWISE), "turned by 90 degrees clockwise"),
        ((-1, 0, 0, -1), cv2.rotate(PICTURE, cv2.ROTATE_180), "turned by 180 degrees"),
        (
            (0, -1, 1, 0),
            cv2.rotate(PICTURE, cv2.ROTATE_90_COUNTERCLOCKWISE),
            "turned by 90 degrees counterclockwise",
        ),
        ((-1, 0, 0, 1), cv2.flip(PICTURE, 1), "mirrored left to right"),
        ((1, 0, 0, -1), cv2.flip(PICTURE, 0), "mirrored top to bottom"),
        (
            (0, 1, 1, 0),
            cv2.flip(cv2.rotate(PICTURE, cv2.ROTATE_90_CLOCKWISE), 1),
            "turned by 90 degrees clockwise and mirrored left to right",
        ),
        (
            (0, -1, -1, 0),
            cv2.flip(cv2.rotate(PICTURE, cv2.ROTATE_90_COUNTERCLOCKWISE), 1),
            "turned by 90 degrees counterclockwise and mirrored left to right",
        ),
    ],
)
def test_turns_and_mirrors(tmp_path, matrix, expected, words):
    """A display matrix of quarter turns and mirror images is followed, and said in words that do the same."""
    picture, remarks = shown(tmp_path, *matrix)
    np.testing.assert_array_equal(picture, expected)
    assert remarks == [f"pictures {words}, as players show them"]


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 0, 0, 0)])
def test_no_turn(tmp_path, matrix):
    """A matrix that says nothing, or was never filled in, changes nothing."""
    picture, remarks = shown(tmp_path, *matrix)
    np.testing.assert_array_equal(picture, PICTURE)
    assert remarks == []


@pytest.mark.parametrize("matrix", [(1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_a_turn_among_unknown_things(tmp_path, matrix, monkeypatch):
    """Where a frame also carries something that PyAV has no name for, its turn is followed all the same."""
    expected, remarks = shown(tmp_path, *matrix)
    decode = video.decode

    class Crowded:
        """A frame whose side data PyAV cannot list."""

        def __init__(self, frame):
            self.frame = frame

        def __getattr__(self, name):
            return getattr(self.frame, name)

        @property
        def side_data(self):
            raise ValueError("31 is not a valid Type")

    monkeypatch.setattr(video, "decode", lambda *arguments: map(Crowded, decode(*arguments)))
    found, found_remarks = shown(tmp_path, *matrix)
    np.testing.assert_array_equal(found, expected)
    assert found_remarks == remarks


def test_another_turn(tmp_path):
    """A turn by anything but quarters is refused with its angle."""
    with pytest.raises(BadSource) as caught:
        shown(tmp_path, 0.866, 0.5, -0.5, 0.866)
    assert str(caught.value) == (
        f"{tmp_path / 'talk.mov'}: expected pictures that are turned by quarters, got a turn by 30 degrees"
    )


@pytest.mark.parametrize(
    ("aspect", "size"),
    [((4, 3), (160, 80)), ((3, 4), (120, 107)), ((64, 45), (171, 80)), ((8, 9), (120, 90))],
)
def test_pixels_that_are_not_square(tmp_path, aspect, size):
    """The shorter side of a pixel grows until it is square; the picture stays what it is."""
    picture, remarks = shown(tmp_path, aspect=Fraction(*aspect))
    assert picture.shape == (size[1], size[0], 3)
    assert cv2.PSNR(cv2.resize(picture, (120, 80), interpolation=cv2.INTER_AREA), PICTURE) > 38
    assert remarks == [
        f"its pixels are not square: pictures stretched from 120x80 to {size[0]}x{size[1]}, as players show them"
    ]


def test_pixels_that_are_all_but_square(tmp_path):
    """Where no whole pixel would be won, nothing is stretched and nothing said."""
    picture, remarks = shown(tmp_path, aspect=Fraction(401, 400))
    np.testing.assert_array_equal(picture, PICTURE)
    assert remarks == []


def test_pixels_out_of_shape(tmp_path):
    """A header that says what no pixel is would fill the memory."""
    with pytest.raises(BadSource) as caught:
        shown(tmp_path, aspect=Fraction(1, 10))
    assert str(caught.value) == (
        f"{tmp_path / 'talk.mov'}: expected pixels up to 4 times as wide as high, or as high as wide, "
        "got a sample aspect ratio of 1:10"
    )


@pytest.mark.parametrize(
    ("case", "size", "words"),
    [
        ("rot180.mp4", (360, 360), "turned by 180 degrees"),
        ("phone_portrait.mov", (360, 640), "turned by 90 degrees counterclockwise"),
    ],
)
def test_videos_of_phones(case, size, words):
    """A phone's video comes upright: the face that is found in it has its chin below its eyes."""
    header = open_video(CASES / case)
    assert (header.width, header.height) == size
    assert [remark.text for remark in header.remarks] == [f"pictures {words}, as players show them"]
    try:
        finder = MediaPipeFaceFinder()
    except MissingFaceModels as exc:
        pytest.skip(str(exc))
    ((left, right, top),) = finder.find(next(read_pictures(CASES / case, 1)))
    assert right - left > 100
    assert 0 < top < top + right - left < size[1]


def test_interlaced_pictures(tmp_path, monkeypatch):
    """Pictures of two moments each are left so, and what to do about them is said."""
    path = tmp_path / "talk.mov"
    write_film(path, [PICTURE])
    decode = video.decode

    class Interlaced:
        """A frame that says it is one."""

        interlaced_frame = True

        def __init__(self, frame):
            self.frame = frame

        def __getattr__(self, name):
            return getattr(self.frame, name)

    monkeypatch.setattr(video, "decode", lambda *arguments: map(Interlaced, decode(*arguments)))
    assert [remark.text for remark in open_video(path).remarks] == [
        "its pictures are interlaced, and combed where something moves: better convert it first, "
        "for example with FFmpeg's filter bwdif"
    ]
