"""Where the face is: 110 landmarks a frame, and the square they cut out."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bounds import LANDMARK, LANDMARKS_BYTES, read_plain
from export.contract import BORDER, UNET_328, Geometry
from export.errors import BadSource

__all__ = ["LEFT", "POINT_COUNT", "RIGHT", "TOP", "crop_bounds", "cut_face", "inner_face", "read_landmarks"]

POINT_COUNT = 110
LEFT, RIGHT, TOP = 1, 31, 52
SMALLEST_CROP = 32
INTERPOLATIONS = {"cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR}


def read_landmarks(path: Path) -> NDArray[np.int32]:
    """Read one ``<i>.lms`` file: 110 lines ``x y``, truncated to whole pixels.

    Returns:
        (110, 2) int32, x then y.

    Raises:
        BadSource: If the file is missing or anything else.
    """
    data = read_plain(path, "a landmark file", LANDMARKS_BYTES)
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as exc:
        raise BadSource(path, f"{POINT_COUNT} lines 'x y'", "bytes that are not text") from exc
    lines = [line for line in lines if line.strip()]
    if len(lines) != POINT_COUNT:
        raise BadSource(path, f"{POINT_COUNT} lines 'x y'", f"{len(lines)} lines")
    return np.array([_point(path, number, line) for number, line in enumerate(lines, 1)], np.int32)


def _point(path: Path, number: int, line: str) -> tuple[int, int]:
    try:
        x, y = (int(float(word)) for word in line.split())
    except (ValueError, OverflowError) as exc:
        raise BadSource(path, f"two numbers 'x y' in line {number}", repr(line.strip()[:40])) from exc
    if not (abs(x) <= LANDMARK and abs(y) <= LANDMARK):
        expected = f"numbers from {-LANDMARK} to {LANDMARK} in line {number}"
        raise BadSource(path, expected, repr(line.strip()[:40]))
    return x, y


def crop_bounds(path: Path, points: NDArray[np.int32], width: int, height: int) -> NDArray[np.int32]:
    """Return the crop's square in a picture of ``width`` x ``height``, clipped to it.

    Left is x of point 1, right x of point 31, top y of point 52; the square is as high as it is wide.

    Args:
        path: The landmark file, for messages.
        points: (110, 2) int32.

    Returns:
        (4,) int32: x1, y1, x2, y2; the last two are exclusive.

    Raises:
        BadSource: If less than 32 pixels of the square lie inside the picture.
    """
    left, right, top = int(points[LEFT, 0]), int(points[RIGHT, 0]), int(points[TOP, 1])
    square = np.array([left, top, right, top + right - left], np.int32)
    bounds = np.clip(square, 0, [width, height, width, height]).astype(np.int32)
    if (bounds[2:] - bounds[:2] < SMALLEST_CROP).any():
        raise BadSource(
            path,
            f"a face square of at least {SMALLEST_CROP} pixels inside the {width}x{height} picture",
            str(square.tolist()),
        )
    return bounds


def cut_face(
    picture: NDArray[np.uint8], bounds: NDArray[np.int32], geometry: Geometry = UNET_328
) -> NDArray[np.uint8]:
    """Cut the network's face out of a picture: the crop, brought to the network's size, less its 4-pixel border.

    Args:
        picture: HxWx3 uint8 BGR.
        bounds: (4,) int32, inside the picture.
        geometry: The network's: 328x328 by bicubic interpolation, or 168x168 by area.

    Returns:
        SxSx3 uint8 BGR, S of 320 or 160.
    """
    x1, y1, x2, y2 = bounds.tolist()
    size = (geometry.crop_size, geometry.crop_size)
    crop = cv2.resize(picture[y1:y2, x1:x2], size, interpolation=INTERPOLATIONS[geometry.resizing])
    return inner_face(crop, geometry)  # type: ignore[arg-type]


def inner_face(crop: NDArray[np.uint8], geometry: Geometry) -> NDArray[np.uint8]:
    """Return a crop of the network's size without the border that the network does not see."""
    inside = slice(BORDER, BORDER + geometry.face_size)
    return crop[inside, inside]
