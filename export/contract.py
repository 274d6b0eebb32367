"""The numbers every part agrees on about pictures: their geometry, the mouth mask, batches. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BORDER",
    "GEOMETRIES",
    "MAX_BATCH_SIZE",
    "PRECISIONS",
    "RESIZINGS",
    "UNET_160",
    "UNET_328",
    "Geometry",
    "geometry_of_size",
]

BORDER = 4
"""Pixels of the crop on each side that a network neither sees nor paints; pasting keeps them."""

MASK_START, MASK_FOOT, MASK_SIDE = 5, 10, 5
"""Pixels of the face that stay beside the mouth mask: above and left of it, below, and right of it."""

RESIZINGS = ("cubic", "area", "linear")
"""How a crop can be brought to the network's size."""

MAX_BATCH_SIZE = 16
PRECISIONS = ("fp32", "fp16")


@dataclass(frozen=True)
class Geometry:
    """How a network of the family sees a face.

    Attributes:
        name: As avatars and messages call it.
        face_size: Width and height of what it takes and gives, in pixels.
        levels: How often it halves that size.
        resizing: One of ``RESIZINGS``: how its training repository brings a crop to ``crop_size``.
    """

    name: str
    face_size: int
    levels: int
    resizing: str

    @property
    def crop_size(self) -> int:
        """Width and height of a crop: the face and its border."""
        return self.face_size + 2 * BORDER

    @property
    def mask_rows(self) -> tuple[int, int]:
        """Rows of the face that the network has to paint, half-open: 5 to 310 of 320."""
        return MASK_START, self.face_size - MASK_FOOT

    @property
    def mask_columns(self) -> tuple[int, int]:
        """Columns of the face that the network has to paint, half-open: 5 to 315 of 320."""
        return MASK_START, self.face_size - MASK_SIDE


UNET_328 = Geometry("U-Net 328", 320, 5, "cubic")
"""SyncTalk_2D's network, called by the size of its crops."""

UNET_160 = Geometry("U-Net 160", 160, 4, "area")
"""Ultralight-Digital-Human's network, called by the size of its faces; its crops have 168 pixels."""

GEOMETRIES = {geometry.name: geometry for geometry in (UNET_328, UNET_160)}


def geometry_of_size(face_size: int) -> Geometry | None:
    """Return the geometry whose faces have this width and height, or None."""
    return next((geometry for geometry in GEOMETRIES.values() if geometry.face_size == face_size), None)
