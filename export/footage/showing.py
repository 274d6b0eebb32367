"""How a video's pictures are to be shown: what its container says, and what is done about it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from export.errors import BadSource
from export.footage.clip import Remark
from export.footage.hdr import TRANSFERS, to_standard_range

__all__ = ["AS_STORED", "Orientation", "Showing", "read_showing"]

WIDEST_PIXEL = 4
"""Times as wide as high, or as high as wide; headers that say more are damaged, and would fill the memory."""

HDR_TRANSFERS = {16: "pq", 18: "hlg"}
"""By their numbers in ITU-T H.273, which are FFmpeg's."""

TO_RGB = "ITU601"
"""RGB has no such matrix; naming one makes PyAV before 17 heed the one that the frame names."""

QUARTER_TOLERANCE = 0.02
"""How far a matrix may be from a quarter turn: a phone's is exact, an editor's off by rounding."""


@dataclass(frozen=True)
class Orientation:
    """A quarter turn or a mirror image: what a display matrix comes to.

    Attributes:
        transposed: Columns become rows, before anything else.
        flipped_x: Left and right are exchanged, then.
        flipped_y: Top and bottom are.
    """

    transposed: bool = False
    flipped_x: bool = False
    flipped_y: bool = False

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture, HxWx3, as it is shown."""
        shown = picture.transpose(1, 0, 2) if self.transposed else picture
        shown = shown[:, ::-1] if self.flipped_x else shown
        shown = shown[::-1] if self.flipped_y else shown
        return np.ascontiguousarray(shown)

    def __str__(self) -> str:
        return WORDS[self.transposed, self.flipped_x, self.flipped_y]


WORDS = {
    (False, False, False): "as stored",
    (False, True, True): "turned by 180 degrees",
    (True, True, False): "turned by 90 degrees clockwise",
    (True, False, True): "turned by 90 degrees counterclockwise",
    (False, True, False): "mirrored left to right",
    (False, False, True): "mirrored top to bottom",
    (True, False, False): "turned by 90 degrees clockwise and mirrored left to right",
    (True, True, True): "turned by 90 degrees counterclockwise and mirrored left to right",
}

AS_STORED = Orientation()


@dataclass(frozen=True)
class Showing:
    """How the pictures of one video are shown.

    Attributes:
        orientation: How they are turned.
        stored_size: Width and height in the file.
        square_size: Width and height with square pixels, before they are turned.
        stretched: Whether they are made that size.
        transfer: ``pq`` or ``hlg`` for a high dynamic range, else ``sdr``.
        interlaced: Whether every other line is of another moment, which nothing is done about.
    """

    orientation: Orientation
    stored_size: tuple[int, int]
    square_size: tuple[int, int]
    stretched: bool = True
    transfer: str = "sdr"
    interlaced: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = self.square_size if self.stretched else self.stored_size
        return (height, width) if self.orientation.transposed else (width, height)

    def show(self, frame: Any) -> NDArray[np.uint8]:
        """Return a decoded frame as it is shown, HxWx3 uint8 BGR."""
        if self.transfer == "sdr":
            picture = frame.to_ndarray(format="bgr24", dst_colorspace=TO_RGB)
        else:
            picture = to_standard_range(
                frame.to_ndarray(format="rgb48le", dst_colorspace=TO_RGB), self.transfer
            )
        if self.stretched and self.square_size != self.stored_size:
            picture = cv2.resize(picture, self.square_size, interpolation=cv2.INTER_CUBIC)
        return self.orientation.apply(picture)

    def remarks(self) -> Iterator[Remark]:
        """Yield what is done to the pictures."""
        if self.orientation != AS_STORED:
            yield Remark(f"pictures {self.orientation}, as players show them")
        if self.square_size != self.stored_size:
            stored, square = (f"{width}x{height}" for width, height in (self.stored_size, self.square_size))
            yield Remark(
                f"its pixels are not square: pictures stretched from {stored} to {square}, as players show them"
                if self.stretched
                else f"its pixels are not square: pictures left at {stored}, as landmarks count stored pixels, "
                f"where players show {square}"
            )
        if self.transfer != "sdr":
            yield Remark(
                f"high dynamic range ({TRANSFERS[self.transfer]}) brought to the range of common screens (BT.709)"
            )
        if self.interlaced:
            yield Remark(
                "its pictures are interlaced, and combed where something moves: better convert it first, "
                "for example with FFmpeg's filter bwdif"
            )


def read_showing(path: Path, track: Any, frame: Any, square_pixels: bool) -> Showing:
    """Return how a video's pictures are shown, by its track and its first decoded frame.

    Raises:
        BadSource: If it says something that is not followed: a turn by anything but quarters, pixels out of shape.
    """
    orientation = _orientation(path, *_display_matrix(frame))
    size = frame.width, frame.height
    square_size = _square_size(path, size, track.sample_aspect_ratio)
    transfer = HDR_TRANSFERS.get(int(track.codec_context.color_trc), "sdr")
    return Showing(orientation, size, square_size, square_pixels, transfer, frame.interlaced_frame)


def _display_matrix(frame: Any) -> tuple[float, float, float, float]:
    """Return a, b, c and d: x and y of the file become a·x + c·y and b·x + d·y."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except (
        ValueError
    ):  # beside it lies something that FFmpeg knows and PyAV does not: the turn is all there is
        turn = math.radians(frame.rotation)
        return math.cos(turn), -math.sin(turn), math.sin(turn), math.cos(turn)
    if matrix is None:
        return 1, 0, 0, 1
    a, b, _, c, d = (np.frombuffer(bytes(matrix), np.int32)[:5] / 65536).tolist()
    return a, b, c, d


def _orientation(path: Path, a: float, b: float, c: float, d: float) -> Orientation:
    along, across = math.hypot(a, d), math.hypot(b, c)
    if max(along, across) == 0:  # a header that was never filled in; players show the picture as it is
        return AS_STORED
    if min(along, across) > QUARTER_TOLERANCE * max(along, across):
        turn = math.degrees(math.atan2(b, a)) % 360
        raise BadSource(path, "pictures that are turned by quarters", f"a turn by {turn:.0f} degrees")
    transposed = across > along
    x, y = (c, b) if transposed else (a, d)
    return Orientation(transposed, x < 0, y < 0)


def _square_size(path: Path, size: tuple[int, int], aspect: Fraction | None) -> tuple[int, int]:
    """Return width and height with square pixels; the shorter side of a pixel grows, so that no detail is lost."""
    if not aspect or aspect < 0:
        return size
    if not Fraction(1, WIDEST_PIXEL) <= aspect <= WIDEST_PIXEL:
        expected = f"pixels up to {WIDEST_PIXEL} times as wide as high, or as high as wide"
        raise BadSource(path, expected, f"a sample aspect ratio of {aspect.numerator}:{aspect.denominator}")
    width, height = size
    return (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
