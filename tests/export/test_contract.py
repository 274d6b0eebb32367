"""export/contract.py"""

import pytest

from export.contract import BORDER, GEOMETRIES, UNET_160, UNET_328, geometry_of_size


def test_picture_geometry():
    """A face is its crop less 4 pixels on each side: 320 of 328, and 160 of 168."""
    assert BORDER == 4
    sizes = [(geometry.crop_size, geometry.face_size) for geometry in GEOMETRIES.values()]
    assert sizes == [(328, 320), (168, 160)]


@pytest.mark.parametrize(
    ("geometry", "rows", "columns"), [(UNET_328, (5, 309), (5, 314)), (UNET_160, (5, 149), (5, 154))]
)
def test_mask_is_the_published_rectangle(geometry, rows, columns):
    """The painted rectangle is x=5, y=5, w=310, h=305, and of the smaller network w=150, h=145."""
    ends = [range(*geometry.mask_rows), range(*geometry.mask_columns)]
    assert [(end[0], end[-1]) for end in ends] == [rows, columns]


def test_geometry_of_a_size():
    """A face's size says which network it is for."""
    assert [geometry_of_size(size) for size in (320, 160, 168)] == [UNET_328, UNET_160, None]
