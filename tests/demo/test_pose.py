from dataclasses import FrozenInstanceError

import pytest

from demo.pose import MouthPose, Pose


def test_resting_pose_is_neutral():
    """With nothing said, the mouth is closed, the eyes are open and the head is upright."""
    pose = Pose()
    assert pose.mouth == MouthPose(opening=0, width=0.5, rounding=0, tongue=0, teeth=0, bite=0)
    assert (pose.blink, pose.roll_deg, pose.yaw) == (0, 0, 0)


def test_poses_are_values():
    """A pose cannot be changed after it is made."""
    with pytest.raises(FrozenInstanceError):
        Pose().blink = 1.0
