import numpy as np
import pytest

from demo.paint import Gradient, Painter, blend, ellipse, mirror, ribbon, spline

SQUARE = ((100, 100), (200, 100), (200, 200), (100, 200))


def test_spline_passes_through_its_points():
    """Every ``steps``-th point of a curve is one it was asked to pass through."""
    points = np.array([(0, 0), (10, 5), (20, -5), (30, 0)], float)
    np.testing.assert_allclose(spline(points, closed=True, steps=6)[::6], points)
    np.testing.assert_allclose(spline(points, closed=False, steps=6)[::6], points)


def test_ribbon_has_the_asked_width():
    """The two edges of a straight stroke lie its width apart."""
    edges = ribbon([(0, 0), (50, 0), (100, 0)], (4, 4))
    assert edges[:, 1].max() == pytest.approx(2)
    assert edges[:, 1].min() == pytest.approx(-2)


def test_mirror_is_its_own_inverse():
    """A point mirrored twice is where it was, and the axis is the middle of the 512 units."""
    np.testing.assert_array_equal(mirror([(200, 7)]), [(312, 7)])
    np.testing.assert_array_equal(mirror(mirror([(200, 7)])), [(200, 7)])


@pytest.mark.parametrize("size_px", [256, 512])
def test_fill_covers_the_same_units_at_every_size(size_px):
    """A square of 100 by 100 units covers that part of the picture, give or take a pixel at each edge."""
    painter = Painter.empty(size_px)
    painter.fill(SQUARE, "#ffffff")
    area_px = painter.layer()[..., 3].astype(float).sum() / 255
    assert np.sqrt(area_px) == pytest.approx(100 * size_px / 512, abs=2)


def test_fill_writes_the_colour():
    """Red, green and blue of the written colour arrive in BGR order, opaque."""
    painter = Painter.empty(256)
    painter.fill(SQUARE, "#102030")
    assert painter.layer()[75, 75].tolist() == [0x30, 0x20, 0x10, 255]
    assert painter.layer()[10, 10].tolist() == [0, 0, 0, 0]


def test_clip_keeps_the_paint_inside():
    """Nothing is painted outside the mask."""
    painter = Painter.empty(256)
    painter.fill(SQUARE, "#ffffff", clip=painter.mask(ellipse(100, 100, 20, 20)))
    assert painter.layer()[52, 52, 3] == 255
    assert painter.layer()[90, 90, 3] == 0


def test_gradient_runs_from_first_to_last_colour():
    """A linear gradient has its end colours at its ends and their mean in the middle."""
    ramp = Gradient(("#000000", "#c86432"), (0, 0), (100, 0))
    colours = ramp.at(np.array([[0.0, 50.0, 100.0]], np.float32), np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(colours[:3, 0].T, [(0, 0, 0), (25, 50, 100), (50, 100, 200)], atol=0.2)


def test_blend_is_the_over_operator():
    """A half-transparent premultiplied layer leaves half of what lies below."""
    below = np.full((1, 1, 3), 200, np.uint8)
    layer = np.array([[[50, 60, 70, 128]]], np.uint8)
    np.testing.assert_allclose(blend(below, layer)[0, 0], np.array([50, 60, 70]) + 200 * 127 / 255, atol=1)


def test_a_shape_outside_the_picture_paints_nothing():
    """Painting beyond the border is harmless."""
    painter = Painter.empty(128)
    painter.fill(ellipse(900, 900, 20, 20), "#ffffff", blur=3)
    assert not painter.layer().any()
