"""The mouth of a pose, painted onto the resting head: its inside, teeth, tongue and lips."""

from __future__ import annotations

import numpy as np

from demo.geometry import MOUTH_CENTRE, MouthShape, mouth_shape
from demo.paint import Curve, Gradient, Image, Painter, ellipse, ribbon, spline
from demo.pose import MouthPose

__all__ = ["paint_mouth"]

_X, _Y = MOUTH_CENTRE
_SKIN_SHADE = "#a85f48"
_LINE = "#6a2427"


def paint_mouth(painter: Painter, mouth: MouthPose) -> None:
    """Paint the mouth."""
    shape = mouth_shape(mouth)
    upper_outer, upper_inner, lower_inner, lower_outer = (
        spline(edge, closed=False)
        for edge in (shape.upper_outer, shape.upper_inner, shape.lower_inner, shape.lower_outer)
    )
    _shade_around(painter, shape, mouth)
    hole = np.vstack([upper_inner, lower_inner[::-1]])
    if mouth.opening > 0.01:
        _paint_inside(painter, painter.mask(hole), shape, mouth)
    _paint_upper_lip(painter, np.vstack([upper_outer, upper_inner[::-1]]), shape)
    _paint_lower_lip(painter, np.vstack([lower_inner, lower_outer[::-1]]), shape)
    _paint_edges(painter, shape, mouth)


def _shade_around(painter: Painter, shape: MouthShape, mouth: MouthPose) -> None:
    bottom = float(shape.lower_outer[3, 1])
    half = float(shape.lower_outer[-1, 0]) - _X
    painter.fill(ellipse(_X, bottom + 5.5, half * 0.52, 4.5), _SKIN_SHADE, blur=4.0, opacity=0.50)
    for corner in (shape.upper_outer[0], shape.upper_outer[-1]):
        outwards = float(np.sign(corner[0] - _X))
        depth = 0.32 + 0.25 * mouth.width
        painter.fill(
            ellipse(corner[0] + 1.6 * outwards, corner[1], 3.2, 4.0), _SKIN_SHADE, blur=2.2, opacity=depth
        )


def _paint_inside(painter: Painter, hole: Image, shape: MouthShape, mouth: MouthPose) -> None:
    top, bottom = float(shape.upper_inner[2, 1]), float(shape.lower_inner[2, 1])
    half = float(shape.upper_outer[-1, 0]) - _X
    page = ellipse(_X, (top + bottom) / 2, half + 4, (bottom - top) / 2 + 14)
    painter.fill(page, Gradient(("#35090f", "#5a161c", "#7c262a"), (_X, top), (_X, bottom + 8)), clip=hole)
    _paint_lower_teeth(painter, hole, bottom, mouth)
    _paint_tongue(painter, hole, bottom, half, mouth)
    _paint_upper_teeth(painter, hole, half, mouth)
    lip_shadow = np.add(shape.upper_inner, (0.0, 1.5))
    painter.fill(ribbon(lip_shadow, (3, 6, 6, 3)), "#2a070b", blur=1.8, opacity=0.50, clip=hole)
    for side in (-1, 1):
        painter.fill(
            ellipse(_X + side * half * 0.9, (top + bottom) / 2, half * 0.26, 12),
            "#22060a",
            blur=4,
            opacity=0.7,
            clip=hole,
        )


def _teeth_edge(mouth: MouthPose) -> float:
    # The skull does not move: neither do the upper teeth. Lips pushed forward hide more of them.
    return _Y + 5.5 - 6.5 * mouth.rounding * (1 - mouth.teeth)


def _paint_upper_teeth(painter: Painter, hole: Image, half: float, mouth: MouthPose) -> None:
    low = _teeth_edge(mouth)
    reach = min(33.0, half * 0.86)
    edge = [(_X + reach * t, low - 5.5 * abs(t) ** 2.4) for t in np.linspace(-1, 1, 13)]
    arch = np.vstack([[(_X - reach, _Y - 22)], edge, [(_X + reach, _Y - 22)]])
    enamel = Gradient(("#fffdf7", "#f8f0e6", "#d3bdb0"), (_X - 2, _Y), (36, 30), radial=True)
    painter.fill(arch, enamel, blur=0.5, clip=hole)
    for place, opacity in ((0.0, 0.34), (9.6, 0.28), (18.2, 0.24), (25.2, 0.22)):
        for side in (-1, 1) if place else (1,):
            gap = ((_X + side * place, _Y - 16), (_X + side * place * 0.985, low - 0.4))
            painter.fill(ribbon(gap, (1.0, 1.5)), "#a98778", blur=0.5, opacity=opacity, clip=hole)


def _paint_lower_teeth(painter: Painter, hole: Image, bottom: float, mouth: MouthPose) -> None:
    apart = bottom - 4.5 * mouth.opening - 1.0
    rise = apart + mouth.teeth * (min(apart, _teeth_edge(mouth) + 0.6) - apart)
    edge = [(_X + 25 * t, rise + 4 * t * t) for t in np.linspace(-1, 1, 11)]
    row = np.vstack([edge, [(_X + 25, bottom + 20), (_X - 25, bottom + 20)]])
    painter.fill(row, "#d9c3b6", blur=0.7, opacity=0.75 + 0.2 * mouth.teeth, clip=hole)


def _paint_tongue(painter: Painter, hole: Image, bottom: float, half: float, mouth: MouthPose) -> None:
    lift = mouth.tongue
    top = bottom - 11.0 * mouth.opening - 3.0 - lift * (bottom - 10.0 * mouth.opening - _Y - 6.0)
    width = half * (0.64 - 0.16 * lift)
    back = (
        (_X - width, bottom + 16),
        (_X - width * 0.82, top + 7),
        (_X - width * 0.4, top + 0.8),
        (_X, top + 1.2),
    )
    right = [(2 * _X - x, y) for x, y in back[:3]][::-1]
    body = spline([*back, *right], closed=False)
    painter.fill(
        body, Gradient(("#e58a86", "#cf6468", "#a23c45"), (_X, top), (_X, bottom + 6)), blur=0.9, clip=hole
    )
    painter.fill(ellipse(_X - 4, top + 5, width * 0.36, 2.4), "#ffc9c0", blur=1.8, opacity=0.55, clip=hole)
    if lift < 0.5:
        groove = ((_X, top + 4), (_X, bottom + 4))
        painter.fill(ribbon(groove, (1, 2.4)), "#8e2f39", blur=1.2, opacity=0.4 - 0.8 * lift, clip=hole)


def _paint_upper_lip(painter: Painter, outline: Curve, shape: MouthShape) -> None:
    top, low = float(shape.upper_outer[2, 1]), float(shape.upper_inner[2, 1])
    painter.fill(
        outline, Gradient(("#d77873", "#c05a5c", "#9c3f46"), (_X - 6, top), (_X, low + 1)), blur=0.45
    )
    lip = painter.mask(outline)
    bow = np.add(shape.upper_outer[1:6], (0.0, 1.2))
    painter.fill(ribbon(bow, (0.6, 2.2, 1.4, 2.2, 0.6)), "#f0a79c", blur=1.1, opacity=0.55, clip=lip)


def _paint_lower_lip(painter: Painter, outline: Curve, shape: MouthShape) -> None:
    top, low = float(shape.lower_inner[2, 1]), float(shape.lower_outer[3, 1])
    painter.fill(
        outline, Gradient(("#b04a50", "#d46f6d", "#d67a74", "#b9585a"), (_X, top), (_X + 2, low)), blur=0.45
    )
    lip = painter.mask(outline)
    middle = top + (low - top) * 0.42
    half = float(shape.lower_outer[-1, 0]) - _X
    painter.fill(
        ellipse(_X - 5, middle, half * 0.34, (low - top) * 0.17), "#ffd3c8", blur=1.7, opacity=0.80, clip=lip
    )
    painter.fill(
        ellipse(_X + half * 0.36, middle, half * 0.14, 1.4), "#ffd3c8", blur=1.4, opacity=0.35, clip=lip
    )


def _paint_edges(painter: Painter, shape: MouthShape, mouth: MouthPose) -> None:
    closed = max(0.0, 1 - 9 * mouth.opening)
    widths = (1.2, 1.5, 2.0, 1.5, 1.2)
    painter.fill(ribbon(shape.upper_inner, widths), _LINE, blur=0.6, opacity=0.55 + 0.35 * closed)
    for corner, inner in (
        (shape.upper_outer[0], shape.upper_inner[0]),
        (shape.upper_outer[-1], shape.upper_inner[-1]),
    ):
        painter.fill(ribbon((corner, inner), (1.4, 2.2)), _LINE, blur=0.5, opacity=0.9)
