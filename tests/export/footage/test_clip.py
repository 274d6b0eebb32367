"""export/footage/clip.py"""

import cv2
import numpy as np
import pytest

from export.errors import BadSource
from export.footage.clip import cut_frame, encode_full_frame
from tests.export.sources import smooth_picture


def test_full_frame_is_a_jpeg():
    """A full picture becomes a JPEG that decodes to nearly the same."""
    picture = smooth_picture(3)
    data = encode_full_frame(picture)
    assert (data[:2], data[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    assert cv2.PSNR(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), picture) > 35


def test_a_frame_is_cut_by_its_landmarks(dataset):
    """A picture and its landmark file give the independent crop, its square and the JPEG as it was handed in."""
    frame = cut_frame(dataset.pictures[2], dataset.folder / "landmarks" / "2.lms", b"as it is")
    np.testing.assert_array_equal(frame.face, dataset.faces[2])
    assert frame.bounds.tolist() == dataset.squares[2]
    assert frame.full_jpeg == b"as it is"


def test_landmarks_of_a_larger_picture(dataset):
    """Landmarks outside the picture are refused, and their file is named."""
    path = dataset.folder / "landmarks" / "2.lms"
    with pytest.raises(
        BadSource, match=r"2\.lms: expected a face square of at least 32 pixels inside the 40x30"
    ):
        cut_frame(smooth_picture(0, 40, 30), path, b"")
