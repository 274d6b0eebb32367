"""The parts of the portrait that no pose changes: backdrop, hair, neck, clothes, the head without eyes and mouth.

They are painted once, at start-up, and only moved afterwards. The light comes from the upper left.
"""

from __future__ import annotations

import cv2
import numpy as np

from demo.geometry import FACE
from demo.paint import Gradient, Image, Painter, Points, ellipse, mirror, ribbon, spline

__all__ = ["backdrop", "body_layer", "hair_layer", "head_layer"]

_SKIN = Gradient(("#fbdcc2", "#f5c9a9", "#e9b08d", "#d7946f"), (210, 245), (200, 235), radial=True)
_EAR_TONES = {-1: ("#f2c2a0", "#e6a886", "#d08a6b"), 1: ("#e3a583", "#d69472", "#b8704f")}
_SKIN_SHADE = "#b3694c"
_SKIN_DEEP = "#8c4a36"
_BLUSH = "#e8806f"
_LIGHT = "#fff1df"
_HAIR_TONES = ("#2a1614", "#3a201b", "#5b3426", "#7c4a32", "#a06a45")

_HAIR_FRONT = (
    (129, 240), (121, 252), (110, 244), (105, 210), (106, 176), (110, 138), (126, 95), (158, 57), (204, 33),
    (258, 25), (312, 34), (356, 60), (387, 98), (403, 142), (405, 178), (406, 212), (401, 244), (391, 252),
    (383, 240), (384, 208), (379, 180), (366, 154), (340, 130), (300, 112), (256, 98), (214, 80), (196, 104),
    (172, 128), (150, 152), (137, 180), (131, 210),
)  # fmt: skip
_HAIR_BACK = (
    (256, 30), (180, 46), (126, 96), (100, 170), (90, 250), (84, 330), (84, 392), (98, 432), (128, 452),
    (170, 466), (220, 474), (292, 474), (342, 466), (384, 452), (414, 432), (428, 392), (428, 330), (422, 250),
    (412, 170), (386, 96), (332, 46),
)  # fmt: skip
_EAR = ((133, 232), (120, 224), (109, 234), (107, 254), (113, 276), (122, 292), (132, 294), (138, 270))
_NECK = (
    (203, 370), (203, 420), (199, 444), (184, 458), (150, 470), (150, 520), (362, 520), (362, 470), (328, 458),
    (313, 444), (309, 420), (309, 370),
)  # fmt: skip
_SWEATER = (
    (-12, 540), (2, 508), (30, 488), (80, 474), (140, 462), (178, 452), (190, 450), (206, 467), (232, 481),
    (256, 485), (280, 481), (306, 467), (322, 450), (334, 452), (372, 462), (432, 474), (482, 488), (510, 508),
    (524, 540),
)  # fmt: skip
_COLLAR = ((184, 447), (198, 466), (226, 483), (256, 488), (286, 483), (314, 466), (328, 447))
_BROW_TO_CROWN = ((210, 62), (168, 84), (142, 124), (132, 164))
_SOCKET = ((160, 226), (178, 211), (204, 206), (230, 214), (240, 236), (230, 258), (200, 266), (174, 260))
_WING = ((234, 290), (229, 299), (232, 309), (240, 311))
_NOSTRIL = ((240, 309), (245, 306.5), (251, 309), (247, 312.5), (241, 312))
_CHEEK_FOLD = ((221, 308), (211, 322), (204, 338))

Guides = tuple[Points, Points]
_FRONT_LOCKS: tuple[Guides, ...] = (
    (((216, 84), (188, 112), (152, 150), (128, 240)), ((206, 36), (150, 60), (110, 120), (108, 240))),
    (((214, 76), (270, 100), (344, 128), (385, 238)), ((224, 30), (310, 32), (390, 96), (404, 236))),
)
_BACK_LOCKS: tuple[Guides, ...] = (
    (((118, 120), (94, 240), (84, 350), (100, 440)), ((150, 200), (140, 300), (150, 380), (190, 452))),
    (((394, 120), (418, 240), (428, 350), (412, 440)), ((362, 200), (372, 300), (362, 380), (322, 452))),
)


def backdrop(size_px: int) -> Image:
    """Return the room behind the character, out of focus: size_px square, HxWx3 uint8 BGR."""
    painter = Painter.empty(size_px)
    page = ((-60, -60), (572, -60), (572, 572), (-60, 572))
    painter.fill(page, Gradient(("#f4e9dc", "#dfe3e0", "#aac3c9", "#7ea0ac"), (60, 0), (470, 512)))
    for x, y, radius, colour, opacity in (
        (70, 92, 46, "#fff4dc", 0.55), (24, 214, 30, "#ffe7bd", 0.45), (118, 22, 24, "#fffaf0", 0.5),
        (446, 82, 52, "#d9ecec", 0.35), (490, 196, 34, "#f6fbf6", 0.3), (398, 24, 28, "#fff3df", 0.35),
        (40, 372, 40, "#f3d3b0", 0.3), (484, 330, 44, "#bcd6d8", 0.35),
    ):  # fmt: skip
        painter.fill(ellipse(x, y, radius, radius), colour, blur=7, opacity=opacity)
    painter.fill(ellipse(256, 250, 190, 230), "#ffffff", blur=55, opacity=0.30)
    return cv2.cvtColor(painter.layer(), cv2.COLOR_BGRA2BGR)


def hair_layer(size_px: int) -> Image:
    """Return the hair behind the neck: size_px square, HxWx4 uint8 BGRA, premultiplied."""
    painter = Painter.empty(size_px)
    outline = spline(_HAIR_BACK)
    painter.fill(outline, Gradient((_HAIR_TONES[1], _HAIR_TONES[1], _HAIR_TONES[2]), (256, 60), (200, 470)))
    clip = painter.mask(outline)
    _strands(painter, _BACK_LOCKS, clip, count=70, seed=3)
    painter.fill(ellipse(256, 380, 100, 110), "#150908", blur=22, opacity=0.75, clip=clip)
    return painter.layer()


def body_layer(size_px: int) -> Image:
    """Return neck, shoulders and clothes: size_px square, HxWx4 uint8 BGRA, premultiplied."""
    painter = Painter.empty(size_px)
    neck = spline(_NECK)
    painter.fill(neck, Gradient(("#c98a68", "#eebb98", "#e2a683", "#bd7a59"), (190, 400), (330, 440)))
    skin = painter.mask(neck)
    painter.fill(ellipse(262, 402, 78, 40), _SKIN_DEEP, blur=11, opacity=0.62, clip=skin)
    painter.fill(ellipse(310, 430, 16, 60), _SKIN_DEEP, blur=9, opacity=0.40, clip=skin)
    for side in (1, -1):
        bone = ribbon(((256 - side * 14, 474), (256 - side * 40, 466), (256 - side * 72, 462)), (1, 5, 1))
        painter.fill(bone, _SKIN_SHADE, blur=3, opacity=0.45, clip=skin)
    sweater = spline(_SWEATER)
    painter.fill(sweater, Gradient(("#2f8b8d", "#22707a", "#174f5e", "#113c4b"), (120, 430), (400, 540)))
    cloth = painter.mask(sweater)
    for fold in (
        ((92, 512), (112, 494), (150, 480)),
        ((420, 512), (402, 494), (364, 480)),
        ((210, 520), (204, 500), (196, 486)),
    ):
        painter.fill(ribbon(fold, (9, 6, 1)), "#0c3140", blur=4, opacity=0.5, clip=cloth)
    painter.fill(
        ribbon(((20, 500), (80, 481), (160, 464)), (3, 7, 3)), "#7cc9c2", blur=3.5, opacity=0.5, clip=cloth
    )
    painter.fill(
        ribbon(_COLLAR, (3, 12, 15, 12, 3)),
        Gradient(("#3c9fa0", "#1e6a74", "#154a58"), (180, 440), (330, 490)),
    )
    painter.fill(
        ribbon(np.add(_COLLAR[1:-1], (0, -6.4)), (0.2, 1.6, 2.0, 1.6, 0.2)), "#8ad3ca", blur=0.5, opacity=0.6
    )
    painter.fill(ribbon(np.add(_COLLAR[1:-1], (0, 7)), (0.4, 2.6, 0.4)), "#0c3140", blur=1.2, opacity=0.6)
    return painter.layer()


def head_layer(size_px: int) -> Image:
    """Return the head with its ears, nose and front hair: size_px square, HxWx4 uint8 BGRA, premultiplied."""
    painter = Painter.empty(size_px)
    face = spline(np.vstack([FACE, mirror(_BROW_TO_CROWN)[::-1], _BROW_TO_CROWN]))
    painter.fill(face, _SKIN)
    skin = painter.mask(face)
    _shade_face(painter, skin)
    _paint_nose(painter, skin)
    _paint_front_hair(painter, skin)
    for side in (-1, 1):  # before the hair, behind the face
        _paint_ear(painter, side, 1 - skin)
    return painter.layer()


def _shade_face(painter: Painter, skin: Image) -> None:
    right_cheek = ((392, 150), (388, 250), (372, 330), (330, 400), (268, 430), (420, 450), (440, 200))
    painter.fill(right_cheek, _SKIN_SHADE, blur=17, opacity=0.55, clip=skin)
    left_edge = ((112, 220), (124, 300), (152, 366), (220, 424), (120, 440), (90, 300))
    painter.fill(left_edge, _SKIN_SHADE, blur=9, opacity=0.38, clip=skin)
    painter.fill(ellipse(256, 434, 60, 12), _SKIN_SHADE, blur=7, opacity=0.45, clip=skin)
    for x, opacity in ((174, 0.34), (338, 0.40)):
        painter.fill(ellipse(x, 302, 31, 21), _BLUSH, blur=13, opacity=opacity, clip=skin)
    for socket in (_SOCKET, mirror(_SOCKET)):
        painter.fill(spline(socket), _SKIN_SHADE, blur=7, opacity=0.28, clip=skin)
    painter.fill(ellipse(190, 283, 26, 10), _LIGHT, blur=8, opacity=0.5, clip=skin)
    painter.fill(ellipse(318, 283, 22, 9), _LIGHT, blur=8, opacity=0.28, clip=skin)
    painter.fill(ellipse(234, 160, 62, 28), _LIGHT, blur=20, opacity=0.45, clip=skin)
    painter.fill(ellipse(251, 404, 18, 9), _LIGHT, blur=6, opacity=0.42, clip=skin)


def _paint_nose(painter: Painter, skin: Image) -> None:
    painter.fill(
        ((262, 214), (268, 250), (276, 290), (288, 306), (276, 312), (262, 300)),
        _SKIN_SHADE,
        blur=5,
        opacity=0.42,
        clip=skin,
    )
    painter.fill(
        ((246, 210), (243, 250), (236, 286), (242, 290), (250, 250)),
        _SKIN_SHADE,
        blur=4,
        opacity=0.20,
        clip=skin,
    )
    painter.fill(ellipse(257, 313, 25, 6.5), _SKIN_DEEP, blur=4, opacity=0.42, clip=skin)
    painter.fill(
        ribbon(((252, 218), (252, 254), (251, 286)), (5, 7, 8)), _LIGHT, blur=3, opacity=0.62, clip=skin
    )
    painter.fill(ellipse(253, 297, 12, 9), _LIGHT, blur=5, opacity=0.62, clip=skin)
    for wing in (_WING, mirror(_WING)):
        painter.fill(ribbon(wing, (0.6, 2.6, 2.6, 0.6)), _SKIN_DEEP, blur=1.2, opacity=0.42)
    for nostril in (_NOSTRIL, mirror(_NOSTRIL)):
        painter.fill(spline(nostril), "#5d2a20", blur=1.1, opacity=0.85)
    for fold in (_CHEEK_FOLD, mirror(_CHEEK_FOLD)):
        painter.fill(ribbon(fold, (1, 4, 1)), _SKIN_SHADE, blur=3.4, opacity=0.26, clip=skin)
    painter.fill(ribbon(((255, 318), (255, 330)), (5, 7)), _SKIN_SHADE, blur=2.2, opacity=0.34, clip=skin)


def _paint_ear(painter: Painter, side: int, clip: Image) -> None:
    outline = spline(_EAR if side < 0 else mirror(_EAR))
    x, y = outline.mean(0)
    painter.fill(np.add(outline, (1.5, 3.0)), "#150908", blur=4, opacity=0.5, clip=clip)
    painter.fill(outline, Gradient(_EAR_TONES[side], (x, 226), (x + 10, 296)), clip=clip)
    inside = painter.mask(outline) * clip
    for share_x, share_y, colour, blur, opacity in (
        (0.60, 0.66, _SKIN_DEEP, 4, 0.5),
        (0.34, 0.4, "#e9a98a", 3, 0.7),
    ):
        painter.fill(
            (outline - (x, y)) * (share_x, share_y) + (x, y), colour, blur=blur, opacity=opacity, clip=inside
        )
    stud = 256 + 134 * side
    gold = Gradient(("#fffbe8", "#f0cf7a", "#a97725"), (stud - 1.4, 286.6), (5, 5), radial=True)
    painter.fill(ellipse(stud, 288, 4.2, 4.2), gold)


def _paint_front_hair(painter: Painter, skin: Image) -> None:
    outline = spline(_HAIR_FRONT)
    shadow = np.add(outline, (3, 9))
    painter.fill(shadow, _SKIN_DEEP, blur=7, opacity=0.50, clip=skin)
    painter.fill(outline, Gradient((_HAIR_TONES[3], _HAIR_TONES[2], _HAIR_TONES[1]), (150, 20), (380, 240)))
    clip = painter.mask(outline)
    _strands(painter, _FRONT_LOCKS, clip, count=150, seed=5)
    for shine in (((140, 118), (166, 84), (206, 60)), ((250, 62), (312, 76), (362, 122))):
        painter.fill(ribbon(shine, (4, 20, 4)), "#d59a6b", blur=9, opacity=0.38, clip=clip)
    _strands(painter, _FRONT_LOCKS, clip, count=60, seed=8)
    painter.fill(
        ribbon(((213, 78), (208, 58), (214, 32)), (3, 2.4, 1)), "#1d0e0c", blur=1.2, opacity=0.7, clip=clip
    )


def _strands(painter: Painter, locks: tuple[Guides, ...], clip: Image, *, count: int, seed: int) -> None:
    """Paint hairs between pairs of guide lines."""
    rng = np.random.default_rng(seed)
    for first, last in locks:
        for _ in range(count):
            share = rng.uniform(-0.08, 1.08)
            line = np.asarray(first, float) * (1 - share) + np.asarray(last, float) * share
            line += rng.normal(0, 2.0, line.shape)
            tone = _HAIR_TONES[rng.choice(5, p=(0.22, 0.26, 0.22, 0.2, 0.1))]
            widths = (0.5, rng.uniform(1.5, 5), rng.uniform(1, 4), 0.5)
            painter.fill(ribbon(line, widths), tone, blur=0.7, opacity=rng.uniform(0.15, 0.5), clip=clip)
