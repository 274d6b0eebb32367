"""Measures the demo character's mouth in a picture of its face, and how well two series of measurements agree.

Lips, tongue and the inside of this mouth are redder than anything else in the face, by a colour difference that
shading hardly changes: (red - green) - 2 (green - blue). That finds the outline of the lips; their thickness, which
a wide mouth stretches and a round one swells, is taken off to give the opening between them. Lips drawn in, as for
"f", are thinner than that: then the teeth seen between them tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "MOUTH_COLUMNS",
    "MOUTH_ROWS",
    "Mouth",
    "best_lag",
    "correlation",
    "measure_mouth",
    "mouth_psnr",
]

MOUTH_ROWS = slice(5, 310)
MOUTH_COLUMNS = slice(5, 315)
"""The rectangle of a 320x320 face that the network paints."""

Picture = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]
Series = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_SEARCH_ROWS, _SEARCH_COLUMNS = slice(115, 265), slice(60, 260)
_RED, _RED_SLOPE = 38.0, 24.0
_PALE, _PALE_SLOPE = 60.0, 20.0
_BLUR_PX = 0.8
_LEAST_RED_PX = 60
_MIDDLE = 0.13

_FACE_UNITS = 261.0
_CROP_PX = 328.0
_GAP_UNITS = 41.0
# How full the lips are for how far they are stretched: fitted to frames of the training takes, where it errs by 0.02.
_FULLNESS = (0.0622, -0.2923, 1.1396)


@dataclass(frozen=True)
class Mouth:
    """A mouth seen in a picture.

    Attributes:
        opening: 0 lips together, about 1 wide open; never below 0.
        width: Corner to corner, as a share of the face's width.
        height: Upper edge of the upper lip to lower edge of the lower, in the same share.
    """

    opening: float
    width: float
    height: float


def measure_mouth(face: Picture) -> Mouth | None:
    """Measure the mouth of a 320x320x3 uint8 BGR face, true or generated; None where no mouth is seen."""
    smooth = cv2.GaussianBlur(face[_SEARCH_ROWS, _SEARCH_COLUMNS], (0, 0), _BLUR_PX).astype(np.float32)
    outline = _filled(_redness(smooth))
    if outline is None:
        return None
    # The sums of soft edges are finer than pixels.
    heights = outline.sum(axis=0)
    width = float(outline.max(axis=0).sum()) / _CROP_PX
    columns = np.arange(outline.shape[1])
    centre = float((heights * columns).sum() / heights.sum())
    middle = np.abs(columns - centre) <= _MIDDLE * width * _CROP_PX
    height = float(heights[middle].mean()) / _CROP_PX
    teeth = float((_paleness(smooth) * (outline > 0.95)).sum(axis=0)[middle].mean()) / _CROP_PX
    opening = max(
        _opening(width * _FACE_UNITS, height * _FACE_UNITS),
        teeth * _FACE_UNITS / _GAP_UNITS,
    )
    return Mouth(opening, width, height)


def correlation(a: Series, b: Series) -> float:
    """Return Pearson's correlation of two series of equal length; 0 where one of them never changes."""
    spread = float(np.std(a) * np.std(b))
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread > 0 else 0.0


def best_lag(true: Series, generated: Series, reach: int = 10) -> int:
    """Return by how many frames the generated series comes late (early: below 0), as it correlates best.

    Args:
        true: What should be there.
        generated: As long as ``true``.
        reach: Lags to try, either way, in frames.
    """
    count = len(true)

    def at(lag: int) -> float:
        return correlation(
            true[max(0, -lag) : count - max(0, lag)], generated[max(0, lag) : count + min(0, lag)]
        )

    return max(range(-reach, reach + 1), key=at)


def mouth_psnr(true: Picture, generated: Picture) -> float:
    """Return the peak signal-to-noise ratio, in decibels, inside the mouth rectangle of two 320x320 faces."""
    return float(
        cv2.PSNR(
            np.ascontiguousarray(true[MOUTH_ROWS, MOUTH_COLUMNS]),
            np.ascontiguousarray(generated[MOUTH_ROWS, MOUTH_COLUMNS]),
        )
    )


def _redness(smooth: Pixels) -> Pixels:
    """Return 0.0 for skin to 1.0 for lips, per pixel."""
    blue, green, red = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    difference = (red - green) - 2 * (green - blue)
    return np.asarray(np.clip((difference - _RED) / _RED_SLOPE + 0.5, 0, 1), np.float32)


def _paleness(smooth: Pixels) -> Pixels:
    """Return 0.0 for lips and tongue to 1.0 for teeth, per pixel."""
    return np.asarray(
        np.clip((_PALE - (smooth[..., 2] - smooth[..., 1])) / _PALE_SLOPE + 0.5, 0, 1), np.float32
    )


def _filled(red: Pixels) -> Pixels | None:
    """Return the largest red part, what lies between its upper and lower edge included."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((red > 0.02).astype(np.uint8))
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    if stats[largest, cv2.CC_STAT_AREA] < _LEAST_RED_PX:
        return None
    part = np.where(labels == largest, red, 0)
    return np.minimum(np.maximum.accumulate(part, 0), np.maximum.accumulate(part[::-1], 0)[::-1])


def _opening(width_units: float, height_units: float) -> float:
    """Solve ``demo.geometry.mouth_shape`` for the opening, its two shapes of lips taken as one."""
    opening = 0.0
    for _ in range(6):
        stretch = (width_units / 2 - 37 + 4 * opening) / 15
        lips = (24.5 - 2.5 * opening) * float(np.polyval(_FULLNESS, stretch))
        opening = max(0.0, (height_units - lips) / _GAP_UNITS)
    return opening
