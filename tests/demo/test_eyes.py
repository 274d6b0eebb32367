import numpy as np

from demo.eyes import brow_ridge, iris_centre, lower_lid, paint_brows, paint_eyes, upper_lid
from demo.paint import Painter
from demo.pose import Pose


def painted(pose: Pose, paint=paint_eyes) -> np.ndarray:
    painter = Painter.empty(512)
    paint(painter, pose)
    return painter.layer().astype(int)


def test_lids_meet_in_a_blink():
    """A closed eye's lids lie within a unit of each other, an open one's more than 20 apart."""
    closed = Pose(blink=1)
    np.testing.assert_allclose(upper_lid(closed)[:, 1], lower_lid(closed)[:, 1], atol=1)
    assert (lower_lid(Pose()) - upper_lid(Pose()))[3, 1] > 20


def test_iris_follows_the_gaze():
    """Looking right moves both irises to the right, and painted pixels with them."""
    for right in (False, True):
        assert iris_centre(Pose(gaze_x=1), right=right)[0] > iris_centre(Pose(gaze_x=-1), right=right)[0] + 10
    assert np.abs(painted(Pose(gaze_x=1)) - painted(Pose(gaze_x=-1))).max() > 100


def test_closed_eyes_show_no_white():
    """The white of the eye is there with open eyes only."""
    whites = [(painted(Pose(blink=blink))[..., :3].min(-1) > 225).sum() for blink in (0, 1)]
    assert whites[0] > 200
    assert whites[1] == 0


def test_brows_rise():
    """A raised brow lies higher, in its points and in its pixels."""
    assert (brow_ridge(Pose(brow=1)) < brow_ridge(Pose(brow=-1)))[:, 1].all()
    rows = [np.nonzero(painted(Pose(brow=brow), paint_brows)[..., 3])[0].mean() for brow in (1, -1)]
    assert rows[0] < rows[1] - 5
