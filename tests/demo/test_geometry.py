import numpy as np
import pytest

from demo.geometry import FACE, head_matrix, lower_jaw, mouth_shape, mouth_size, source_map, to_frame
from demo.pose import MouthPose, Pose

TURNED = Pose(shift_x=5, shift_y=-3, roll_deg=2.5, yaw=0.8, pitch=-0.6)


def test_face_contour_is_symmetric_and_has_33_points():
    """The contour runs from temple to temple, with the chin in the middle."""
    assert FACE.shape == (33, 2)
    np.testing.assert_allclose(FACE[:, 0] + FACE[::-1, 0], 512)
    assert FACE[16, 1] == FACE[:, 1].max()


def test_lips_meet_when_the_mouth_is_closed():
    """With no opening, the inner edges of the two lips are one line."""
    shape = mouth_shape(MouthPose(opening=0))
    np.testing.assert_allclose(shape.upper_inner, shape.lower_inner)


def test_mouth_opens_widens_and_rounds():
    """Each number of a mouth pose changes the lips the way its name says."""
    gap = lambda m: np.ptp([mouth_shape(m).upper_inner[2, 1], mouth_shape(m).lower_inner[2, 1]])  # noqa: E731
    span = lambda m: np.ptp(mouth_shape(m).upper_outer[:, 0])  # noqa: E731
    assert gap(MouthPose(opening=1)) > gap(MouthPose(opening=0.5)) > 10
    assert span(MouthPose(width=1)) > span(MouthPose(width=0)) + 20
    assert span(MouthPose(rounding=1)) < span(MouthPose(rounding=0)) - 20


def test_mouth_size_is_what_is_seen():
    """A closed mouth has no opening; a round one is narrower, though its width number is the same."""
    assert mouth_size(MouthPose(opening=0, width=0.5))[0] == 0
    assert mouth_size(MouthPose(opening=1))[0] == pytest.approx(1)
    flat, round_ = (mouth_size(MouthPose(width=0.5, rounding=r)) for r in (0.0, 1.0))
    assert 0.2 < round_[1] < flat[1] < 0.4
    assert (flat[2], round_[2]) == (0, 1)


def test_bite_bares_the_teeth():
    """Biting the lower lip lifts the upper one, and the lower one thins."""
    free, bitten = (mouth_shape(MouthPose(opening=0.1, bite=b)) for b in (0, 1))
    assert bitten.upper_inner[2, 1] < free.upper_inner[2, 1] - 1
    thickness = [s.lower_outer[3, 1] - s.lower_inner[2, 1] for s in (free, bitten)]
    assert thickness[1] < thickness[0] - 3


def test_jaw_takes_the_chin_but_not_the_temples():
    """An open mouth lowers the chin and leaves the points beside the ears alone."""
    lowered = lower_jaw(FACE, MouthPose(opening=1))
    assert lowered[16, 1] - FACE[16, 1] == pytest.approx(21)
    np.testing.assert_array_equal(lowered[[1, 31]], FACE[[1, 31]])


def test_no_pose_moves_nothing_as_a_whole():
    """At rest the head's matrix is the identity."""
    np.testing.assert_allclose(head_matrix(Pose()), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_source_map_is_the_inverse_of_to_frame():
    """A point moved to the picture shows, by the map, the pixel it came from, within a tenth of a pixel."""
    map_x, map_y = source_map(TURNED, 2.0, (0, 0, 1024, 1024))
    points = np.array([(256, 352), (210, 350), (200, 240), (256, 300), (130, 250), (256, 420)], float)
    for (x, y), (column, row) in zip(points, to_frame(points, TURNED) * 2, strict=True):
        near = (round(row - 0.5), round(column - 0.5))
        rest = (column - 0.5 - near[1], row - 0.5 - near[0])
        assert map_x[near] + rest[0] == pytest.approx(2 * x - 0.5, abs=0.1)
        assert map_y[near] + rest[1] == pytest.approx(2 * y - 0.5, abs=0.1)


def test_source_map_of_a_part_agrees_with_the_whole():
    """A part of the picture maps as it does within the whole, within a twentieth of a pixel."""
    whole = source_map(TURNED, 1.0, (0, 0, 512, 512))
    part = source_map(TURNED, 1.0, (100, 150, 400, 450))
    for all_of_it, some in zip(whole, part, strict=True):
        np.testing.assert_allclose(some[8:-8, 8:-8], all_of_it[158:442, 108:392], atol=0.05)
