"""The eyes and brows of a pose, painted onto the resting head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from demo.geometry import BROW, EYE_LOWER, EYE_UPPER, IRIS
from demo.paint import Curve, Gradient, Image, Painter, Points, ellipse, mirror, ribbon, spline
from demo.pose import Pose

__all__ = ["brow_ridge", "iris_centre", "lower_lid", "paint_brows", "paint_eyes", "upper_lid"]

Side = Callable[[Points], Curve]
"""Takes points of the left eye to where they lie on one side of the face."""

_GAZE_REACH = (6.5, 3.5)
_LASHES = "#26130f"
_LID = "#e4ae8e"
_FOLD = "#8f4d39"
_BROW_HAIR = "#3b211a"


def upper_lid(pose: Pose) -> Curve:
    """Return the left eye's upper lid, outer corner to inner: 7 points, in units."""
    # A closing lid comes down nearly all the way, and the lower one rises a little to meet it.
    closed = min(1.0, max(0.0, pose.blink + 0.16 * max(0.0, pose.gaze_y)))
    return EYE_UPPER + (_shut(EYE_UPPER) - EYE_UPPER) * closed


def lower_lid(pose: Pose) -> Curve:
    """Return the left eye's lower lid, outer corner to inner: 7 points, in units."""
    return EYE_LOWER + (_shut(EYE_LOWER) - EYE_LOWER) * min(1.0, pose.blink)


def iris_centre(pose: Pose, *, right: bool = False) -> tuple[float, float]:
    """Return the centre of an iris, in units."""
    x = mirror([IRIS])[0, 0] if right else IRIS[0]
    return float(x + _GAZE_REACH[0] * pose.gaze_x), IRIS[1] + _GAZE_REACH[1] * pose.gaze_y


def brow_ridge(pose: Pose) -> Curve:
    """Return the left brow's ridge, outer end to inner: 5 points, in units."""
    return BROW - np.outer((0.6, 0.9, 1.0, 0.9, 0.7), (0.0, 5.5 * pose.brow - 1.5 * pose.blink))


def paint_eyes(painter: Painter, pose: Pose) -> None:
    """Paint both eyes."""
    upper, lower = spline(upper_lid(pose), closed=False), spline(lower_lid(pose), closed=False)
    wide = np.vstack([spline(EYE_UPPER, closed=False), spline(EYE_LOWER, closed=False)[::-1]])
    for right, side in enumerate(_SIDES):
        painter.fill(side(wide), _LID, blur=1.6, opacity=0.9)
        painter.fill(side(_above(upper)), _FOLD, blur=1.6, opacity=0.25 * pose.blink)
        if pose.blink < 0.97:
            aperture = painter.mask(side(np.vstack([upper, lower[::-1]])))
            _paint_ball(painter, aperture, iris_centre(pose, right=bool(right)), side(upper))
        _paint_lids(painter, side, upper, lower, pose)


def paint_brows(painter: Painter, pose: Pose) -> None:
    """Paint both brows: a soft body, and hairs in it that lie along it."""
    ridge = brow_ridge(pose)
    for side in _SIDES:
        painter.fill(ribbon(side(ridge), (1.5, 6.5, 9, 9.5, 7)), _BROW_HAIR, blur=1.2, opacity=0.78)
        for low, tilt in ((2.4, -3.0), (0.8, -2.4), (-0.8, -1.6), (-2.2, 0.2)):
            rows = ridge + np.stack([np.zeros(5), low + tilt * np.linspace(0.6, -0.6, 5) * 0.5], -1)
            painter.fill(ribbon(side(rows), (0.3, 1.5, 2.0, 1.6, 0.4)), "#24120e", blur=0.5, opacity=0.34)


def _paint_ball(painter: Painter, aperture: Image, iris: tuple[float, float], lid: Curve) -> None:
    x, y = iris
    centre = float(lid[:, 0].mean())
    white = Gradient(("#fdfaf6", "#f5eee9", "#d9c5bd"), (centre, 244), (36, 22), radial=True)
    painter.fill(ellipse(centre, 242, 36, 26), white, clip=aperture)
    painter.fill(ellipse(x, y, 14.6, 14.6), "#123f41", blur=0.7, opacity=0.95, clip=aperture)
    tones = Gradient(("#7fc7b4", "#5fae9f", "#2f7f7d", "#1c5a5e"), (x, y + 5), (15, 15), radial=True)
    painter.fill(ellipse(x, y, 13.2, 13.2), tones, blur=0.6, clip=aperture)
    painter.fill(ellipse(x, y, 6.2, 6.2), "#0b1416", blur=0.6, clip=aperture)
    painter.fill(ellipse(x + 1, y + 8, 7, 3.4), "#b9ecd6", blur=1.6, opacity=0.5, clip=aperture)
    painter.fill(
        ribbon(np.add(lid[::8], (0, 3.4)), (7, 9, 9, 7)), "#3b2420", blur=2.4, opacity=0.5, clip=aperture
    )
    painter.fill(ellipse(x - 4.8, y - 5.0, 3.5, 3.5), "#ffffff", blur=0.4, opacity=0.96, clip=aperture)
    painter.fill(ellipse(x + 5.2, y + 4.6, 1.6, 1.6), "#ffffff", blur=0.4, opacity=0.6, clip=aperture)


def _paint_lids(painter: Painter, side: Side, upper: Curve, lower: Curve, pose: Pose) -> None:
    painter.fill(ribbon(side(lower[::8]), (1.6, 1.1, 0.9, 0.9, 1.0, 1.2)), "#7d4436", blur=0.6, opacity=0.75)
    painter.fill(ribbon(side(upper[::8]), (3.0, 3.4, 4.0, 4.2, 3.8, 2.8, 1.4)), _LASHES, blur=0.45)
    tip = upper[0] + (-5.5, -3.5 + 5.5 * pose.blink)
    wing = np.array((tip, upper[0] + (0.5, -0.6), upper[1]))
    painter.fill(ribbon(side(wing), (0.3, 2.6, 2.8)), _LASHES, blur=0.45)
    crease = np.add(EYE_UPPER[:6], (0.5, 3.0 * pose.blink - 1.5 * pose.brow - 6.2))
    painter.fill(
        ribbon(side(crease), (0.4, 1.6, 2.0, 2.0, 1.6, 0.4)), _FOLD, blur=0.8, opacity=0.62 - 0.3 * pose.blink
    )


def _above(lid: Curve) -> Curve:
    return np.vstack([np.add(lid, (0, -5)), lid[::-1]])


def _shut(lid: Curve) -> Curve:
    """Return the line on which the lids of a closed eye meet."""
    x = lid[:, 0]
    across = (x - 170) / (231 - 170)
    return np.stack([x, 244.4 + 30 * across * (1 - across) + 0.6 * across], -1)


def _as_drawn(points: Points) -> Curve:
    return np.asarray(points, float)


_SIDES: tuple[Side, Side] = (_as_drawn, mirror)
