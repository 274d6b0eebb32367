"""export/contract.py"""

from export import contract


def test_picture_geometry():
    """The face is the 328 crop less 4 pixels on each side."""
    assert (contract.CROP_SIZE, contract.FACE_SIZE, contract.BORDER) == (328, 320, 4)


def test_mask_is_the_published_rectangle():
    """The painted rectangle is x=5, y=5, w=310, h=305: rows 5 to 309, columns 5 to 314."""
    assert [
        list(range(*ends))[:: end - 1]
        for ends, end in ((contract.MASK_ROWS, 305), (contract.MASK_COLUMNS, 310))
    ] == [
        [5, 309],
        [5, 314],
    ]
