import numpy as np
import pytest

from demo.motion import poses
from demo.pose import MouthPose
from tests.character import spoken_poses


def track(sequence, name: str) -> np.ndarray:
    return np.array([getattr(pose, name) for pose in sequence])


def mouth(sequence, name: str) -> np.ndarray:
    return track([pose.mouth for pose in sequence], name)


def test_motion_is_the_same_at_every_call():
    """The same mouth and seed give the same poses."""
    assert spoken_poses(150, 3) == spoken_poses(150, 3)


def test_seed_changes_head_and_eyes_alone():
    """Another seed gives other blinks and head movements with the same mouth."""
    one, other = spoken_poses(150, 1), spoken_poses(150, 2)
    for name in ("yaw", "roll_deg", "shift_x", "blink"):
        assert np.abs(track(one, name) - track(other, name)).max() > 0.2, name
    assert [pose.mouth for pose in one] == [pose.mouth for pose in other]


def test_head_knows_nothing_of_the_mouth():
    """Another mouth leaves every movement of the head as it was: a network cannot read one from the other."""
    speaking, silent = spoken_poses(150), poses([MouthPose()] * 150)
    for name in ("shift_x", "shift_y", "roll_deg", "yaw", "pitch", "breath", "gaze_x", "blink"):
        np.testing.assert_array_equal(track(speaking, name), track(silent, name))


@pytest.mark.parametrize("frames", [25, 40, 150, 555])
def test_every_clip_blinks_and_then_looks_again(frames):
    """A clip of any length has a full blink, and its eyes are open most of the time."""
    blink = track(spoken_poses(frames), "blink")
    assert blink.max() == 1
    assert (blink < 0.1).mean() > 0.6
    assert blink[0] == blink[-1] == 0


@pytest.mark.parametrize("frames", [25, 150, 333])
def test_last_pose_flows_into_the_first(frames):
    """No number jumps more across the seam than it does elsewhere in the clip."""
    sequence = spoken_poses(frames)
    for name in ("shift_x", "shift_y", "roll_deg", "yaw", "pitch", "breath", "brow", "gaze_x", "gaze_y"):
        steps = np.abs(np.diff(track(sequence, name), append=track(sequence, name)[0]))
        assert steps[-1] <= steps[:-1].max() + 1e-9, name


def test_drawn_loop_has_no_visible_seam(renderer):
    """The last frame differs from the first no more than twice what neighbours within a pause differ."""
    sequence = poses([MouthPose()] * 150)
    first, second, last = (renderer.draw(sequence[i]).astype(int) for i in (0, 1, -1))
    assert np.abs(last - first).mean() <= 2 * np.abs(second - first).mean()


def test_numbers_stay_in_their_ranges():
    """Mouth numbers and blinks stay within 0 to 1, gaze and turns within -1 to 1."""
    sequence = spoken_poses(300)
    for name in ("opening", "width", "rounding", "tongue"):
        assert 0 <= mouth(sequence, name).min() <= mouth(sequence, name).max() <= 1
    for name in ("gaze_x", "gaze_y", "yaw", "pitch", "brow", "breath"):
        assert np.abs(track(sequence, name)).max() <= 1
