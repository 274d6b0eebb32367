import numpy as np

from demo.geometry import MOUTH_CENTRE
from demo.mouth import paint_mouth
from demo.paint import Painter
from demo.pose import MouthPose


def painted(**mouth: float) -> np.ndarray:
    painter = Painter.empty(512)
    paint_mouth(painter, MouthPose(**mouth))
    return painter.layer()[310:420, 190:322].astype(int)


def teeth(picture: np.ndarray) -> int:
    """Count the pixels nearly white."""
    return int((picture[..., :3].min(-1) > 200).sum())


def dark(picture: np.ndarray) -> int:
    """Count the opaque pixels nearly black."""
    return int(((picture[..., :3].max(-1) < 110) & (picture[..., 3] > 250)).sum())


def test_closed_mouth_shows_no_inside():
    """Lips together hide the teeth and leave hardly a dark pixel."""
    picture = painted(opening=0)
    assert teeth(picture) == 0
    assert dark(picture) < 150


def test_open_mouth_shows_teeth_and_depth():
    """An open mouth shows upper teeth and the dark behind them."""
    picture = painted(opening=0.9)
    assert teeth(picture) > 200
    assert dark(picture) > 300


def test_raised_tongue_hides_the_depth():
    """Just below the teeth, a resting tongue leaves the dark, and a raised one is pink."""
    below_teeth = slice(52, 55), slice(61, 71)
    resting, raised = (painted(opening=0.95, tongue=tongue)[below_teeth][..., 2].mean() for tongue in (0, 1))
    assert resting < 110
    assert raised > 180


def test_closed_teeth_fill_a_narrow_opening():
    """With the teeth closed, as for "s", a parted mouth shows less of the dark."""
    apart, closed = (painted(opening=0.5, width=0.8, teeth=t) for t in (0, 1))
    assert dark(closed) < 0.9 * dark(apart)


def test_rounded_lips_hide_the_teeth():
    """Lips pushed forward, as for "oo", show fewer teeth."""
    assert teeth(painted(opening=0.4, rounding=1)) < 0.2 * teeth(painted(opening=0.4))


def test_painting_stays_near_the_mouth():
    """Nothing is painted more than 70 units from the mouth's centre."""
    painter = Painter.empty(512)
    paint_mouth(painter, MouthPose(opening=1, width=1))
    rows, columns = np.nonzero(painter.layer()[..., 3])
    assert np.hypot(columns - MOUTH_CENTRE[0], rows - MOUTH_CENTRE[1]).max() < 70
