import cv2
import numpy as np
import pytest

from demo.landmarks import LANDMARKS, crop_bounds, landmarks
from demo.pose import MouthPose, Pose
from tests.character import spoken_poses

POSES = [
    Pose(),
    Pose(mouth=MouthPose(opening=0.9), shift_x=4, roll_deg=2, yaw=0.6),
    Pose(mouth=MouthPose(opening=0.3, width=0.95), yaw=-0.7, pitch=0.5, shift_y=3),
    Pose(mouth=MouthPose(opening=0.3, width=0.1, rounding=1), roll_deg=-2, pitch=-0.5),
]


def lips(frame: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the pixels redder than skin around the mouth."""
    left, top = (points[76:96].min(0) - 12).astype(int)
    right, bottom = (points[76:96].max(0) + 12).astype(int)
    redness = cv2.cvtColor(frame[top:bottom, left:right], cv2.COLOR_BGR2LAB)[..., 1]
    rows, columns = np.nonzero(redness > 158)
    return rows + top, columns + left


@pytest.mark.parametrize("pose", POSES)
def test_mouth_corners_are_where_the_lips_end(renderer, pose):
    """The outermost lip pixels of a drawn frame lie within 3 pixels of points 76 and 82."""
    points = landmarks(pose)
    rows, columns = lips(renderer.draw(pose), points)
    for corner, end in ((76, columns.argmin()), (82, columns.argmax())):
        assert np.hypot(columns[end] + 0.5 - points[corner, 0], rows[end] + 0.5 - points[corner, 1]) < 3


@pytest.mark.parametrize("pose", POSES)
def test_lips_end_at_their_edges(renderer, pose):
    """The topmost and lowest lip pixels lie within 2 pixels of the upper and the lower lip's edge points."""
    points = landmarks(pose)
    rows, _ = lips(renderer.draw(pose), points)
    assert abs(rows.min() - points[77:82, 1].min()) < 2
    assert abs(rows.max() + 1 - points[83:88, 1].max()) < 2


def test_every_point_has_its_place():
    """There are 110 points; left ones lie left of right ones, and the order runs around each feature."""
    points = landmarks(Pose())
    assert points.shape == (LANDMARKS, 2)
    assert points[16, 1] == points[:33, 1].max()
    for left, right in (
        (0, 32),
        (1, 31),
        (33, 46),
        (37, 42),
        (60, 72),
        (64, 68),
        (76, 82),
        (88, 92),
        (96, 97),
    ):
        assert points[left, 0] + points[right, 0] == pytest.approx(512, abs=0.5)
        assert points[left, 1] == pytest.approx(points[right, 1], abs=0.01)
    for ring in (points[60:68], points[68:76], points[76:88], points[88:96], points[33:42], points[42:51]):
        assert cv2.contourArea(ring.astype(np.float32), oriented=True) >= 0


def test_points_scale_with_the_frame():
    """Half the frame's size halves every coordinate."""
    np.testing.assert_allclose(landmarks(POSES[1], 256) * 2, landmarks(POSES[1], 512))


def test_mouth_lies_inside_the_mask_in_every_frame():
    """In the 320x320 face cut out by the landmarks, lips and chin lie in the mask.

    The mask is rows 5 to 309, columns 5 to 314; the lips are around the middle of the height.
    """
    for pose in spoken_poses(150):
        points = landmarks(pose)
        left, top, right, bottom = crop_bounds(points)
        assert 0 <= left < right <= 512
        assert 0 <= top < bottom <= 512
        assert 250 <= right - left <= 340
        inside = (points[[*range(8, 25), *range(76, 96)]] - (left, top)) * 328 / (right - left) - 4
        assert (inside >= 5).all()
        assert (inside < (315, 310)).all()
        assert 140 < inside[-20:, 1].mean() < 180


def test_crop_is_square_by_the_convention():
    """The crop spans points 1 to 31 across and starts at point 52, and is as high as wide."""
    points = np.zeros((LANDMARKS, 2))
    points[1], points[31], points[52] = (100.9, 3), (300.2, 4), (200, 50.7)
    assert crop_bounds(points) == (100, 50, 300, 250)
