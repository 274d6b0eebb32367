import numpy as np

from demo.features import audio_features
from demo.motion import babble, poses
from demo.pose import MouthPose, Pose


def test_shape_and_type():
    """There is one row of 512 float32 per frame, all finite and none negative."""
    features = audio_features(poses(babble(60)))
    assert features.shape == (60, 512)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert features.min() >= 0


def test_only_the_mouth_matters():
    """Head, eyes and brows change nothing; the mouth does."""
    mouths = [MouthPose(opening=x) for x in (0.1, 0.5, 0.9)]
    still = audio_features([Pose(mouth=m) for m in mouths])
    moving = audio_features([Pose(mouth=m, yaw=0.5, blink=1, shift_x=4) for m in mouths])
    np.testing.assert_array_equal(still, moving)
    assert np.abs(still[0] - still[2]).max() > 0.5


def test_features_are_the_same_at_every_call():
    """The layer is drawn from a fixed seed."""
    np.testing.assert_array_equal(audio_features(poses(babble(30))), audio_features(poses(babble(30))))


def test_pose_can_be_read_back():
    """The four numbers of each pose follow from the features by a linear fit, within 0.01."""
    sequence = poses(babble(900))
    target = np.array([(p.mouth.opening, p.mouth.width, p.mouth.rounding, p.mouth.tongue) for p in sequence])
    features = np.hstack([audio_features(sequence).astype(float), np.ones((900, 1))])
    solved, *_ = np.linalg.lstsq(features, target, rcond=1e-9)
    assert np.abs(features @ solved - target).max() < 0.01


def test_opening_and_closing_differ():
    """The same shape of the mouth has other features on the way up than on the way down."""
    openings = (0.0, 0.5, 1.0, 0.5)
    features = audio_features([Pose(mouth=MouthPose(opening=x)) for x in openings])
    assert np.abs(features[1] - features[3]).max() > 0.5
