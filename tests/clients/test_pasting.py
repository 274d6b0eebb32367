"""Pasting, beside a bicubic filter and the rule of training, both written from their formulas."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from export.contract import BORDER, UNET_328
from export.footage.landmarks import crop_bounds, cut_face
from lipsync_client.pasting import EDGE_PIXELS, paste

SEED = 5
PAGE_RULE = Path(__file__).parents[2] / "bridge" / "static" / "patch.js"


def noise(height: int, width: int, seed: int = SEED) -> NDArray[np.uint8]:
    """Return pixels that are all different, smooth enough to be a picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.GaussianBlur(pixels, (0, 0), 1.5)  # type: ignore[return-value]


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Keys' kernel with a = -0.75."""
    a, x = -0.75, np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def weights(old: int, new: int) -> NDArray[np.float64]:
    """Return the (new, old) weights of a bicubic filter: pixel centres at halves, edges repeated."""
    matrix = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * old / new - 0.5
        taps = int(np.floor(centre)) + np.arange(-1, 3)
        np.add.at(matrix[i], taps.clip(0, old - 1), cubic(centre - taps))
    return matrix


def resized(pixels: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return an HxWx3 picture at another size."""
    rows = np.einsum("ij,jkc->ikc", weights(pixels.shape[0], height), pixels)
    return np.einsum("ij,kjc->kic", weights(pixels.shape[1], width), rows).round().clip(0, 255)


def reference(
    full_frame: NDArray[np.uint8], picture: NDArray[np.uint8], bounds: tuple[int, ...], edge: int
) -> NDArray:
    """Paste by the protocol's sentence: rectangle to crop, picture into its inside, crop to rectangle."""
    x1, y1, x2, y2 = bounds
    size = picture.shape[0] + 2 * BORDER
    crop = resized(full_frame[y1:y2, x1:x2].astype(np.float64), size, size)
    outside, inside = BORDER + edge, slice(edge, picture.shape[0] - edge)
    crop[outside:-outside, outside:-outside] = picture[inside, inside]
    pasted = full_frame.astype(np.float64)
    pasted[y1:y2, x1:x2] = resized(crop, x2 - x1, y2 - y1)
    return pasted


@pytest.mark.parametrize("edge", [0, 5])
@pytest.mark.parametrize("bounds", [(20, 30, 120, 130), (0, 0, 61, 61), (37, 11, 101, 139)])
def test_it_is_the_protocols_rule(bounds: tuple[int, int, int, int], edge: int) -> None:
    """Larger or smaller than the rectangle, square or not: pixels are those of the formula, but for rounding."""
    full_frame, picture = noise(150, 140), noise(64, 64, seed=6)
    before = full_frame.copy()
    pasted = paste(full_frame, picture, bounds, BORDER, edge)
    difference = np.abs(pasted - reference(full_frame, picture, bounds, edge))
    assert (full_frame == before).all()
    assert difference.max() <= 2
    assert difference.mean() < 0.2
    outside = np.ones((150, 140), bool)
    outside[bounds[1] : bounds[3], bounds[0] : bounds[2]] = False
    assert (pasted[outside] == full_frame[outside]).all()


def test_it_undoes_what_training_cut_out() -> None:
    """At the native size, the face that training cut out goes back to where it was, exactly."""
    full_frame = noise(400, 420)
    bounds = (50, 60, 50 + UNET_328.crop_size, 60 + UNET_328.crop_size)
    face = cut_face(full_frame, np.array(bounds, np.int32))
    assert face.shape == (UNET_328.face_size, UNET_328.face_size, 3)
    assert (paste(full_frame, face, bounds, BORDER, edge=0) == full_frame).all()
    assert (paste(full_frame, face, bounds, BORDER) == full_frame).all()


def test_the_border_is_kept() -> None:
    """At the native size, the picture takes all of the crop but border and edge: what the page, too, shows of it."""
    full_frame = noise(400, 420)
    picture = np.full((UNET_328.face_size, UNET_328.face_size, 3), 255, np.uint8)
    pasted = paste(full_frame, picture, (50, 60, 50 + UNET_328.crop_size, 60 + UNET_328.crop_size), BORDER)
    expected = full_frame.copy()
    expected[69:379, 59:369] = 255
    assert (pasted == expected).all()
    assert f"const EDGE_PIXELS = {EDGE_PIXELS};" in PAGE_RULE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "square", [(-30, 20, 70, 120), (90, 60, 190, 160), (-5, -5, 145, 155), (60, -20, 160, 80)]
)
def test_rectangles_that_lie_partly_outside(square: tuple[int, int, int, int]) -> None:
    """Of a square that reaches out of the frame the part inside is the crop, as it is where clips are imported."""
    full_frame, picture = noise(150, 140), noise(64, 64, seed=6)
    x1, y1, x2, y2 = square
    points = np.zeros((110, 2), np.int32)
    points[1, 0], points[31, 0], points[52, 1] = x1, x2, y1
    imported = crop_bounds(Path("0.lms"), points, 140, 150).tolist()
    clipped = (max(x1, 0), max(y1, 0), min(x2, 140), min(y2, 150))
    pasted = paste(full_frame, picture, square, BORDER)
    assert tuple(imported) == clipped or square == (-5, -5, 145, 155)
    assert np.abs(pasted - reference(full_frame, picture, clipped, EDGE_PIXELS)).max() <= 2


@pytest.mark.parametrize("bounds", [(-90, 0, -10, 80), (140, 0, 220, 80), (10, 10, 10, 90), (90, 10, 10, 90)])
def test_rectangles_that_lie_wholly_outside(bounds: tuple[int, int, int, int]) -> None:
    """A rectangle of which nothing is inside shows nothing."""
    full_frame = noise(150, 140)
    pasted = paste(full_frame, noise(64, 64), bounds, BORDER)
    assert (pasted == full_frame).all()
