"""Painting of smooth, shaded shapes with OpenCV: splines, gradients, blurred edges, clipping.

Coordinates are in units: the picture is 512 units wide and high whatever its size in pixels, x to the right,
y down. Colours are written ``"#rrggbb"``. A layer is HxWx4 uint8 BGRA, premultiplied by alpha; while it is painted,
its planes are 4xHxW float32, 0 to 255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "Curve",
    "Gradient",
    "Image",
    "Painter",
    "Points",
    "blend",
    "ellipse",
    "mirror",
    "ribbon",
    "spline",
]

Curve = npt.NDArray[np.float64]
"""Nx2 points, in units."""
Image = npt.NDArray[Any]
Points = Sequence[tuple[float, float]] | Curve

_SUBPIXEL_BITS = 5
_AXIS_X = 256.0
_CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 48, endpoint=False)) for f in (np.cos, np.sin)], -1)


@dataclass(frozen=True)
class Gradient:
    """Colours along a line, or from a centre outwards.

    Attributes:
        colours: Two or more colours, evenly spaced from ``start`` to ``end``.
        start: Where the first colour lies (linear), or the centre (radial).
        end: Where the last colour lies (linear), or the half axes along x and y of the ellipse it lies on.
        radial: Whether the colours go outwards.
    """

    colours: tuple[str, ...]
    start: tuple[float, float]
    end: tuple[float, float]
    radial: bool = False

    def at(self, x: Image, y: Image) -> Image:
        """Return the 4xHxW float32 BGRA colours of a 1xW row ``x`` and an Hx1 column ``y``, in units."""
        if self.radial:
            t = np.hypot((x - self.start[0]) / self.end[0], (y - self.start[1]) / self.end[1])
        else:
            dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
            t = ((x - self.start[0]) * dx + (y - self.start[1]) * dy) / (dx * dx + dy * dy)
        index = (np.clip(t, 0.0, 1.0) * 1023).astype(np.int32)
        return np.take(_table(self.colours), index, axis=1)


class Painter:
    """A picture, or a window of one, that shapes are painted onto.

    Attributes:
        planes: 4xHxW float32 blue, green, red and alpha, premultiplied.
        scale: Pixels per unit.
        origin: The top left corner, in units.
    """

    def __init__(self, layer: Image, scale: float, origin: tuple[float, float] = (0.0, 0.0)) -> None:
        self.planes: Image = np.moveaxis(layer, -1, 0).astype(np.float32, order="C")
        self.scale = scale
        self.origin = origin

    @classmethod
    def empty(cls, size_px: int) -> Painter:
        """Return a transparent square picture of 512 units, ``size_px`` pixels wide."""
        return cls(np.zeros((size_px, size_px, 4), np.uint8), size_px / 512)

    def layer(self) -> Image:
        """Return what is painted: HxWx4 uint8 BGRA, premultiplied."""
        return np.asarray(cv2.convertScaleAbs(cv2.merge(list(self.planes))))

    def mask(self, outline: Points, blur: float = 0.0) -> Image:
        """Return the HxW float32 coverage, 0 to 1, of an outline whose edge is softened by ``blur`` units."""
        whole = np.zeros(self.planes.shape[1:], np.float32)
        rows, columns = self._window(np.asarray(outline, float), 3 * blur)
        whole[rows, columns] = self._coverage(np.asarray(outline, float), rows, columns, blur)
        return whole

    def fill(
        self,
        outline: Points,
        colour: str | Gradient,
        *,
        blur: float = 0.0,
        opacity: float = 1.0,
        clip: Image | None = None,
    ) -> None:
        """Paint the inside of an outline.

        Args:
            outline: The shape, closed by itself.
            colour: One colour, or a gradient.
            blur: Standard deviation of the edge's softness, in units.
            opacity: 0 to 1.
            clip: A ``mask`` to stay within.
        """
        points = np.asarray(outline, float)
        rows, columns = self._window(points, 3 * blur)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return
        cover = self._coverage(points, rows, columns, blur) * np.float32(opacity)
        if clip is not None:
            cover *= clip[rows, columns]
        self._blend(rows, columns, cover, colour)

    def _blend(self, rows: slice, columns: slice, cover: Image, colour: str | Gradient) -> None:
        if isinstance(colour, Gradient):
            x = (np.arange(columns.start, columns.stop, dtype=np.float32)[None, :] + 0.5) / self.scale
            y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5) / self.scale
            paint = colour.at(x + self.origin[0], y + self.origin[1])
        else:
            paint = np.array(_bgra(colour), np.float32)[:, None, None]
        below = self.planes[:, rows, columns]
        below += (paint - below) * cover

    def _window(self, points: Curve, margin: float) -> tuple[slice, slice]:
        """Return the rows and columns that the points and a margin around them, in units, cover."""
        left, top = ((float(points[:, k].min()) - margin - self.origin[k]) * self.scale for k in (0, 1))
        right, bottom = ((float(points[:, k].max()) + margin - self.origin[k]) * self.scale for k in (0, 1))
        height, width = self.planes.shape[1:]
        rows = slice(max(0, int(top) - 2), min(height, int(bottom) + 3))
        return rows, slice(max(0, int(left) - 2), min(width, int(right) + 3))

    def _coverage(self, points: Curve, rows: slice, columns: slice, blur: float) -> Image:
        height, width = max(0, rows.stop - rows.start), max(0, columns.stop - columns.start)
        if not height or not width:
            return np.zeros((height, width), np.float32)
        sigma_px = blur * self.scale
        coarse = max(1, int(sigma_px / 2.5))  # a soft edge loses nothing at a lower resolution
        drawn = np.zeros((-(-height // coarse), -(-width // coarse)), np.uint8)
        pixels = ((points - self.origin) * self.scale - (columns.start, rows.start)) / coarse - 0.5
        fixed = np.round(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(drawn, [fixed], [255], cv2.LINE_AA, _SUBPIXEL_BITS)
        cover: Image = drawn.astype(np.float32) / 255
        if blur:
            # The picture's border cuts a shape off: replicating goes on beyond it.
            cover = cv2.GaussianBlur(cover, (0, 0), sigma_px / coarse, borderType=cv2.BORDER_REPLICATE)
        if coarse > 1:
            full = (drawn.shape[1] * coarse, drawn.shape[0] * coarse)
            cover = cv2.resize(cover, full, interpolation=cv2.INTER_CUBIC)[:height, :width]
        return cover


def spline(points: Points, *, closed: bool = True, steps: int = 8) -> Curve:
    """Return a Catmull-Rom curve through ``points``; every ``steps``-th of its points is one of them."""
    p = np.asarray(points, float)
    before, after = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    around = np.vstack([before, p, after])
    neighbours = np.stack([around[:-3], around[1:-2], around[2:-1], around[3:]], 1)
    curve = (_weights(steps) @ neighbours).reshape(-1, 2)
    return curve if closed else np.vstack([curve, p[-1:]])


def ribbon(points: Points, widths: Sequence[float], *, steps: int = 8) -> Curve:
    """Return the outline of a brush stroke through ``points`` with those full widths along it, in units."""
    line = spline(points, closed=False, steps=steps)
    half = np.interp(np.linspace(0, len(widths) - 1, len(line)), np.arange(len(widths)), widths) / 2
    ahead = np.empty_like(line)
    ahead[1:-1] = line[2:] - line[:-2]
    ahead[0], ahead[-1] = line[1] - line[0], line[-1] - line[-2]
    ahead *= (half / np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9))[:, None]
    across = ahead[:, ::-1] * (-1.0, 1.0)
    return np.vstack([line + across, (line - across)[::-1]])


def ellipse(x: float, y: float, half_x: float, half_y: float) -> Curve:
    """Return an ellipse's outline."""
    return np.add(np.multiply(_CIRCLE, (half_x, half_y)), (x, y))


def mirror(points: Points) -> Curve:
    """Return the points as seen on the other side of the face's axis, in the same order."""
    p = np.array(points, float)
    p[:, 0] = 2 * _AXIS_X - p[:, 0]
    return p


def blend(below: Image, layer: Image) -> Image:
    """Lay a premultiplied HxWx4 uint8 layer over an HxWx3 uint8 BGR picture and return the result."""
    clear = cv2.merge([255 - cv2.extractChannel(layer, 3)] * 3)
    colours = cv2.cvtColor(layer, cv2.COLOR_BGRA2BGR)
    return np.asarray(cv2.add(cv2.multiply(below, clear, scale=1 / 255), colours))


@lru_cache
def _table(colours: tuple[str, ...]) -> Image:
    """Return a gradient's colours at 1024 places: 4x1024 float32 BGRA."""
    stops = np.array([_bgra(colour) for colour in colours])
    t = np.linspace(0, len(stops) - 1, 1024)
    return np.stack([np.interp(t, np.arange(len(stops)), c) for c in stops.T]).astype(np.float32)


@lru_cache
def _weights(steps: int) -> Image:
    """Return the weights (steps, 4) of a Catmull-Rom piece's four points."""
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    cubic = np.array([(0, 2, 0, 0), (-1, 0, 1, 0), (2, -5, 4, -1), (-1, 3, -3, 1)]) / 2
    return np.asarray(powers @ cubic)


def _bgra(colour: str) -> tuple[int, int, int, int]:
    return int(colour[5:7], 16), int(colour[3:5], 16), int(colour[1:3], 16), 255
