import numpy as np
import pytest

from demo.face import FaceRenderer
from demo.pose import MouthPose, Pose


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one.astype(int) - other).max(-1)


def test_frame_has_the_asked_size():
    """A frame is uint8 BGR of the renderer's size."""
    frame = FaceRenderer(256).draw(Pose())
    assert frame.shape == (256, 256, 3)
    assert frame.dtype == np.uint8


def test_drawing_is_deterministic(renderer):
    """The same pose gives the same bytes, whatever was drawn between."""
    pose = Pose(mouth=MouthPose(opening=0.6), yaw=0.4, blink=0.3)
    first = renderer.draw(pose)
    renderer.draw(Pose(roll_deg=3))
    np.testing.assert_array_equal(renderer.draw(pose), first)


def test_mouth_changes_the_lower_face_only(renderer):
    """Opening the mouth leaves everything above the nose as it was."""
    changed = difference(renderer.draw(Pose()), renderer.draw(Pose(mouth=MouthPose(opening=1))))
    assert changed[:290].max() == 0
    assert changed[330:400, 210:300].max() > 80


def test_blink_changes_the_eyes_only(renderer):
    """A blink leaves the mouth as it was."""
    changed = difference(renderer.draw(Pose()), renderer.draw(Pose(blink=1)))
    assert changed[300:].max() == 0
    assert changed[220:260, 170:232].max() > 80


@pytest.mark.parametrize("pose", [Pose(shift_x=300), Pose(shift_y=-250, roll_deg=20)])
def test_head_may_leave_the_picture(renderer, pose):
    """A head moved partly out of the picture is cut off, not an error."""
    assert renderer.draw(pose).shape == (512, 512, 3)
