"""Draws the character, one frame per pose.

Drawn with OpenCV, at twice the size and reduced, as the better drawing libraries do not fit: skia-python needs
the system's libGL and libEGL, pycairo has no wheels for Linux, and aggdraw no gradients.
"""

from __future__ import annotations

import cv2
import numpy as np

from demo.eyes import paint_brows, paint_eyes
from demo.geometry import head_matrix, jaw_drop, jaw_share, source_map, to_frame
from demo.mouth import paint_mouth
from demo.paint import Image, Painter, blend
from demo.portrait import backdrop, body_layer, hair_layer, head_layer
from demo.pose import MouthPose, Pose

__all__ = ["FaceRenderer"]

_HEAD = (94, 10, 418, 458)
_EYES = (140, 176, 372, 276)
_JAW = (108, 330, 404, 460)
_MOUTH = (188, 318, 324, 426)
_HAIR_SHARE = 0.8
_BODY_SHARE = 0.22
_BREATH = 1.6


class FaceRenderer:
    """Draws frames of one size; safe to share between threads.

    Attributes:
        size_px: Width and height of a frame, in pixels.
    """

    def __init__(self, size_px: int = 512) -> None:
        self.size_px = size_px
        self._backdrop = backdrop(size_px)
        self._hair = hair_layer(size_px)
        self._body = body_layer(size_px)
        self._head = head_layer(2 * size_px)

    def draw(self, pose: Pose) -> Image:
        """Return one frame: size_px x size_px x 3 uint8 BGR."""
        frame = blend(self._backdrop, self._moved(self._hair, head_matrix(pose, _HAIR_SHARE)))
        body = head_matrix(pose, _BODY_SHARE)
        body[1, 2] -= _BREATH * pose.breath
        frame = blend(frame, self._moved(self._body, body))
        left, top, right, bottom = self._head_box(pose)
        head = self._draw_head(pose, (left, top, right, bottom))
        frame[top:bottom, left:right] = blend(frame[top:bottom, left:right], head)
        return frame

    def _head_box(self, pose: Pose) -> tuple[int, int, int, int]:
        """Return the part of the frame the head lies in, in pixels: left, top, right, bottom."""
        left, top, right, bottom = _HEAD
        corners = to_frame([(left, top), (right, top), (right, bottom), (left, bottom)], pose)
        box = np.vstack([corners.min(0), corners.max(0)]) * (self.size_px / 512)
        low, high = np.clip(box, 0, self.size_px).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _draw_head(self, pose: Pose, box: tuple[int, int, int, int]) -> Image:
        head = self._head.copy()
        self._lower_jaw(head, pose.mouth)
        scale = len(head) / 512
        with _Window(head, _EYES, scale) as painter:
            paint_eyes(painter, pose)
            paint_brows(painter, pose)
        with _Window(head, _MOUTH, scale) as painter:
            paint_mouth(painter, pose.mouth)
        left, top, right, bottom = box
        map_x, map_y = source_map(pose, scale, (2 * left, 2 * top, 2 * right, 2 * bottom))
        turned = cv2.remap(head, map_x, map_y, cv2.INTER_LINEAR)
        return cv2.resize(turned, (right - left, bottom - top), interpolation=cv2.INTER_AREA)

    def _lower_jaw(self, head: Image, mouth: MouthPose) -> None:
        """Stretch the lower face down to where the jaw goes."""
        scale = len(head) / 512
        left, top, right, bottom = (round(edge * scale) for edge in _JAW)
        y = np.arange(top, bottom, dtype=np.float32)
        rows = y - np.float32(jaw_drop(mouth) * scale) * jaw_share((y + 0.5) / scale).astype(np.float32)
        columns = np.arange(left, right, dtype=np.float32)
        map_x, map_y = np.meshgrid(columns, rows)
        head[top:bottom, left:right] = cv2.remap(self._head, map_x, map_y, cv2.INTER_LINEAR)

    def _moved(self, layer: Image, matrix: Image) -> Image:
        pixels = matrix.copy()
        pixels[:, 2] *= self.size_px / 512
        # A layer that reaches the picture's bottom must go on below it.
        return cv2.warpAffine(layer, pixels, (self.size_px, self.size_px), borderMode=cv2.BORDER_REPLICATE)


class _Window:
    """Lends a painter for a rectangle (left, top, right, bottom, in units) of a uint8 layer."""

    def __init__(self, layer: Image, rectangle: tuple[int, int, int, int], scale: float) -> None:
        left, top, right, bottom = (round(edge * scale) for edge in rectangle)
        self._target = layer[top:bottom, left:right]
        self._painter = Painter(self._target, scale, (left / scale, top / scale))

    def __enter__(self) -> Painter:
        return self._painter

    def __exit__(self, *_: object) -> None:
        self._target[:] = self._painter.layer()
