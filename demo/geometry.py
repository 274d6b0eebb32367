"""The character's measurements: where its features lie at rest, how a pose bends them, how the head moves.

A point goes from rest to the picture in three steps: the jaw lowers what is below the mouth (``lower_jaw``),
the turn of the head shifts what is near the camera (a depth map, no third dimension), and the head as a whole
is moved and tilted about the neck (both ``to_frame``). ``source_map`` is the way back, for every pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from demo.paint import Curve, Image, Points, mirror
from demo.pose import MouthPose, Pose

__all__ = [
    "BROW",
    "EYE_LOWER",
    "EYE_UPPER",
    "FACE",
    "IRIS",
    "MOUTH_CENTRE",
    "MouthShape",
    "head_matrix",
    "jaw_drop",
    "jaw_share",
    "lower_jaw",
    "mouth_shape",
    "mouth_size",
    "source_map",
    "to_frame",
]

_LEFT_OF_FACE = (
    (130, 196), (127, 218), (125.5, 240), (126.5, 262), (129, 284), (133, 305), (138.5, 325), (146, 344),
    (155, 361), (165.5, 376.5), (177.5, 390), (191, 401.5), (205.5, 410.5), (220, 417), (234, 421), (246, 422.6),
)  # fmt: skip
FACE: Curve = np.vstack([_LEFT_OF_FACE, [(256, 423)], mirror(_LEFT_OF_FACE)[::-1]])
"""33 points of the face's contour, from the left temple over the chin (16) to the right temple."""

EYE_UPPER: Curve = np.array(
    [(170, 243), (178, 233), (190, 227.5), (203, 226.5), (216, 230.5), (226, 238), (231, 246)]
)
EYE_LOWER: Curve = np.array(
    [(170, 243), (177, 250.5), (188, 256), (200, 257.5), (213, 256), (224, 251.5), (231, 246)]
)
"""The left eye's lids, outer corner to inner."""
IRIS = (201.0, 240.5)
"""The left eye's iris, looking at the camera."""
BROW: Curve = np.array([(158, 207), (172, 194.5), (190, 188.5), (209, 189.5), (228, 196)])
"""The left brow's ridge, outer end to inner."""
MOUTH_CENTRE = (256.0, 352.0)

_GAP = 41.0
_NECK = (256.0, 430.0)
_TURN = 11.0
_NOD = 8.0
_GRID_PX = 8


@dataclass(frozen=True)
class MouthShape:
    """The lips of a mouth pose; each is a row of points from the left corner to the right one, in units."""

    upper_outer: Curve
    upper_inner: Curve
    lower_inner: Curve
    lower_outer: Curve


def mouth_shape(mouth: MouthPose) -> MouthShape:
    """Return the lips: 7 points for each outer edge, 5 for each inner one."""
    y = MOUTH_CENTRE[1]
    half = 37 + 15 * mouth.width - 15 * mouth.rounding - 4 * mouth.opening
    gap = _GAP * mouth.opening
    corner = y + 2.0 - 11.5 * mouth.width + 0.38 * gap
    top, bottom = y - 0.22 * gap - 2.6 * mouth.bite, y + 0.78 * gap - 0.6 * mouth.bite
    full = 1 + 0.3 * mouth.rounding - 0.16 * mouth.width + 0.08
    upper = (11.0 - 1.0 * mouth.bite) * full
    lower = (13.5 - 2.5 * mouth.opening - 5.0 * mouth.bite) * full

    roundness = min(1.0, 0.45 * mouth.opening + mouth.rounding)

    def edge(height: float, places: tuple[float, ...], shares: tuple[float, ...], dip: float = 0.0) -> Curve:
        """Return a lip's edge: shares of the way from the corners' height to the middle's, towards an ellipse."""
        across = np.array(places)
        oval = np.sqrt(1 - np.minimum(1.0, np.abs(across)) ** 2)
        share = np.array(shares) + (oval - shares) * roundness * (np.abs(across) > 0.3)
        y = corner + (height - corner) * share + dip * (across == 0)
        return np.stack([MOUTH_CENTRE[0] + half * across, y], -1)

    outer = (0.0, 0.62, 1.0, 1.0, 1.0, 0.62, 0.0)
    sagging = (0.0, 0.60, 0.93, 1.0, 0.93, 0.60, 0.0)
    inner, places = (0.0, 0.8, 1.0, 0.8, 0.0), (-0.94, -0.5, 0.0, 0.5, 0.94)
    bow = 2.4 * (1 - 0.6 * mouth.rounding)
    return MouthShape(
        upper_outer=edge(top - upper, (-1.0, -0.62, -0.22, 0.0, 0.22, 0.62, 1.0), outer, bow),
        upper_inner=edge(top, places, inner),
        lower_inner=edge(bottom, places, inner),
        lower_outer=edge(bottom + lower, (-1.0, -0.66, -0.32, 0.0, 0.32, 0.66, 1.0), sagging),
    )


def mouth_size(mouth: MouthPose) -> tuple[float, float, float]:
    """Return what is seen of a mouth: its opening and its rounding, 0 to 1, and its width as a share of the face's."""
    shape = mouth_shape(mouth)
    gap = shape.lower_inner[2, 1] - shape.upper_inner[2, 1]
    width = np.ptp(shape.upper_outer[:, 0])
    return float(gap / _GAP), float(width / np.ptp(FACE[:, 0])), mouth.rounding


def jaw_drop(mouth: MouthPose) -> float:
    """Return how far the chin goes down, in units."""
    return 21 * mouth.opening + 2 * mouth.rounding


def jaw_share(y: Image) -> Image:
    """Return the share of the jaw's drop at height ``y``: 0 above the mouth, 1 at the chin."""
    t = np.clip((y - 338) / 80, 0, 1)
    return t * t * (3 - 2 * t)


def lower_jaw(points: Points, mouth: MouthPose) -> Curve:
    """Move points of the resting face to where the jaw takes them."""
    p = np.array(points, float)
    rest = p[:, 1].copy()
    for _ in range(8):  # the shift is given where a point arrives: the inverse of the picture's own warp
        p[:, 1] = rest + jaw_drop(mouth) * jaw_share(p[:, 1])
    return p


def head_matrix(pose: Pose, share: float = 1.0) -> Image:
    """Return the 2x3 matrix, in units, of ``share`` of the head's movement as a whole."""
    matrix: Image = cv2.getRotationMatrix2D(_NECK, -pose.roll_deg * share, 1.0)
    matrix[:, 2] += (pose.shift_x * share, pose.shift_y * share)
    return matrix


def to_frame(points: Points, pose: Pose) -> Curve:
    """Move points from the head's own coordinates to the picture, in units."""
    rest = np.array(points, float)
    p = rest.copy()
    for _ in range(8):
        p = rest + _parallax(p[:, 0], p[:, 1], pose)
    matrix = head_matrix(pose)
    return np.asarray(p @ matrix[:, :2].T + matrix[:, 2])


def source_map(pose: Pose, scale: float, box: tuple[int, int, int, int]) -> tuple[Image, Image]:
    """Return, for each pixel of a part of the picture, the pixel of the head's layer it shows.

    The shift is smooth, so it is computed on a coarse grid and interpolated.

    Args:
        pose: Where the head is.
        scale: Pixels per unit, of the picture and of the layer.
        box: The part, in pixels: left, top, right, bottom.

    Returns:
        Two float32 maps, x and y, for cv2.remap.
    """
    left, top, right, bottom = box
    columns, rows = (max(2, (high - low) // _GRID_PX) for low, high in ((left, right), (top, bottom)))
    x, y = np.meshgrid(
        (left + (np.arange(columns) + 0.5) * ((right - left) / columns)) / scale,
        (top + (np.arange(rows) + 0.5) * ((bottom - top) / rows)) / scale,
    )
    back = cv2.invertAffineTransform(head_matrix(pose))
    head_x = back[0, 0] * x + back[0, 1] * y + back[0, 2]
    head_y = back[1, 0] * x + back[1, 1] * y + back[1, 2]
    source = np.stack([head_x, head_y], -1) - _parallax(head_x, head_y, pose)
    coarse = (source * scale - 0.5).astype(np.float32)
    fine = cv2.resize(coarse, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    return fine[..., 0], fine[..., 1]


def _parallax(x: Image, y: Image, pose: Pose) -> Image:
    """Return the shift (…, 2), in units, of what the turned head shows at a point."""
    face = np.exp(-(((x - 256) / 115) ** 2) - ((y - 285) / 150) ** 2)
    nose = np.exp(-(((x - 256) / 34) ** 2) - ((y - 298) / 36) ** 2)
    near = face + 0.45 * nose - 0.4
    return np.stack([_TURN * pose.yaw * near, _NOD * pose.pitch * near], -1)
