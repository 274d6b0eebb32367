"""export/footage/crops.py"""

import numpy as np

from export.footage.crops import crop_remarks


def test_square_crops():
    """Of crops that are square there is nothing to say."""
    assert list(crop_remarks(np.array([[0, 0, 50, 50], [10, 20, 90, 100]], np.int32))) == []


def test_crops_that_leave_the_picture():
    """It is said in which frames something is missing, at any edge, and how many pixels at most."""
    bounds = np.tile(np.array([100, 80, 200, 180], np.int32), (20, 1))
    bounds[3, 3] = 170  # below
    bounds[7:10, 0] = 117  # left
    bounds[15, 2] = 195  # right
    bounds[16, 1] = 90  # above
    (remark,) = crop_remarks(bounds)
    assert remark.text == (
        "the crop leaves the picture in 6 of 20 frames (3, 7-9, 15-16), by up to 17 pixels, and is cut off there: "
        "the face in it is stretched"
    )
    assert remark.frames == (3, 7, 8, 9, 15, 16)
