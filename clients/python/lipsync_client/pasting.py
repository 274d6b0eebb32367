"""Puts a picture of live speech into its full frame, as training took it out: pixels in, pixels out.

The crop, which is the picture and a border around it, is the full frame's rectangle resized (bicubic). The picture
replaces all of the crop but its border; the crop is resized (bicubic) to the rectangle, and put back there.

Of the picture itself the outermost pixels are left out: they lie outside of what the network was to paint, and the full
frame has them better, so that no line shows.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["EDGE_PIXELS", "paste"]

EDGE_PIXELS = 5
"""A network of convolutions sees less at its edge; networks of this family are masked from their sixth pixel on."""

Pixels = NDArray[np.uint8]


def paste(
    full_frame: Pixels,
    picture: Pixels,
    bounds: tuple[int, int, int, int],
    border: int,
    edge: int = EDGE_PIXELS,
) -> Pixels:
    """Return the full frame with the picture in it.

    Args:
        full_frame: HxWx3 uint8; it is left as it is.
        picture: SxSx3 uint8, in the full frame's order of colours.
        bounds: x1, y1, x2, y2 of the crop in the full frame, pixels, the last two exclusive. Of a rectangle that lies
            partly outside, the part inside is the crop, as it was in training; one wholly outside shows nothing.
        border: Pixels of the crop around the picture on each side.
        edge: Pixels of the picture on each side that are left out.

    Returns:
        HxWx3 uint8.
    """
    pasted = full_frame.copy()
    height, width = full_frame.shape[:2]
    x1, y1, x2, y2 = np.clip(bounds, 0, [width, height, width, height]).tolist()
    if x1 >= x2 or y1 >= y2:
        return pasted
    picture_height, picture_width = picture.shape[:2]
    crop_size = (picture_width + 2 * border, picture_height + 2 * border)
    crop = cv2.resize(full_frame[y1:y2, x1:x2], crop_size, interpolation=cv2.INTER_CUBIC)
    inner = picture[edge : picture_height - edge, edge : picture_width - edge]
    top_left = border + edge
    crop[top_left : top_left + inner.shape[0], top_left : top_left + inner.shape[1]] = inner
    pasted[y1:y2, x1:x2] = cv2.resize(crop, (x2 - x1, y2 - y1), interpolation=cv2.INTER_CUBIC)
    return pasted
