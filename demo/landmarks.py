"""The 110 landmarks of a pose, in pixels of the frame.

The importer's crop is square: left = x of point 1, right = x of point 31, top = y of point 52, height = width.

======== ==== =================================================================================
points   many what
======== ==== =================================================================================
0-32     33   contour of the face, left temple (0), jaw beside the ear (1), chin (16), jaw beside
              the other ear (31), right temple (32)
33-41    9    left brow: ridge from the outer end to the inner (33-37), underside back (38-41)
42-50    9    right brow: ridge from the inner end to the outer (42-46), underside back (47-50)
51-54    4    nose, from between the eyes to the tip
55-59    5    base of the nose, left wing to right wing
60-67    8    left eye: outer corner (60), upper lid (61-63), inner corner (64), lower lid (65-67)
68-75    8    right eye: inner corner (68), upper lid (69-71), outer corner (72), lower lid (73-75)
76-87    12   lips, outer edge: left corner (76), upper lip (77-81), right corner (82), lower (83-87)
88-95    8    lips, inner edge: left corner (88), upper (89-91), right corner (92), lower (93-95)
96, 97   2    irises, left and right
98-109   12   forehead along the hairline, left to right
======== ==== =================================================================================

Left and right are the picture's. 0-97 are in the order of the WFLW data set.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from demo.eyes import brow_ridge, iris_centre, lower_lid, upper_lid
from demo.geometry import FACE, lower_jaw, mouth_shape, to_frame
from demo.paint import Curve, Points, mirror, spline
from demo.pose import Pose

__all__ = ["LANDMARKS", "crop_bounds", "landmarks"]

LANDMARKS = 110

_NOSE: Points = ((256, 214), (256, 222), (255, 258), (253, 297))
_NOSE_BASE: Points = ((232, 309), (244, 312), (256, 315), (268, 312), (280, 309))
_HAIRLINE: Points = (
    (134, 180),
    (152, 150),
    (188, 108),
    (216, 84),
    (258, 98),
    (298, 112),
    (340, 130),
    (378, 180),
)


def landmarks(pose: Pose, size_px: int = 512) -> npt.NDArray[np.float64]:
    """Return the landmarks of a pose: 110x2 float64, x and y in pixels of a frame ``size_px`` wide."""
    left_eye = _eye(pose)
    mouth = mouth_shape(pose.mouth)
    parts = [
        lower_jaw(FACE, pose.mouth),
        _brow(pose),
        mirror(_brow(pose))[[4, 3, 2, 1, 0, 8, 7, 6, 5]],
        _NOSE,
        _NOSE_BASE,
        left_eye,
        mirror(left_eye)[[4, 3, 2, 1, 0, 7, 6, 5]],
        mouth.upper_outer,
        mouth.lower_outer[5:0:-1],
        mouth.upper_inner,
        mouth.lower_inner[3:0:-1],
        [iris_centre(pose), iris_centre(pose, right=True)],
        _spread(_HAIRLINE, 12),
    ]
    return to_frame(np.vstack(parts), pose) * (size_px / 512)


def crop_bounds(points: npt.NDArray[np.float64]) -> tuple[int, int, int, int]:
    """Return the crop (x1, y1, x2, y2), in pixels, that the importer takes by the convention above."""
    left, right, top = int(points[1, 0]), int(points[31, 0]), int(points[52, 1])
    return left, top, right, top + right - left


def _brow(pose: Pose) -> Curve:
    ridge = brow_ridge(pose)
    under = ridge[3::-1] + np.array([(0.0, 8.0), (0.0, 7.5), (0.0, 6.0), (0.0, 3.5)])
    return np.vstack([ridge, under])


def _eye(pose: Pose) -> Curve:
    """Return the left eye from its outer corner over the upper lid and back along the lower one: 8 points."""
    upper = _spread(upper_lid(pose), 5)
    lower = _spread(lower_lid(pose), 5)
    return np.vstack([upper, lower[3:0:-1]])


def _spread(points: Points, count: int) -> Curve:
    """Return ``count`` points evenly spaced along the curve through ``points``, both ends included."""
    curve = spline(points, closed=False)
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, axis) for axis in curve.T], -1)
