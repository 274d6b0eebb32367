"""How fast a GPU could be at best: arithmetic and bytes of one frame against what the card can do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CARDS", "Card", "bound_frames_per_s"]

FLOP_PER_FRAME = 9.77e9
"""Of the full-width network as it was trained; multiplications and additions."""

PICTURE_BYTES = 320 * 320 * 3
AUDIO_BYTES = 4 * 32 * 16 * 16
PCIE_BYTES_PER_FRAME = 2 * PICTURE_BYTES + AUDIO_BYTES
"""Face in, picture out, speech window in."""


@dataclass(frozen=True)
class Card:
    """A GPU's limits, from its vendor's data sheet.

    Attributes:
        flop_per_s: Dense float16 with tensor cores.
        pcie_bytes_per_s: One direction.
    """

    flop_per_s: float
    pcie_bytes_per_s: float


CARDS = {
    "H200": Card(989e12, 64e9),
    "H100": Card(989e12, 64e9),
    "A100": Card(312e12, 32e9),
    "L40S": Card(362e12, 32e9),
    "RTX 6000 Ada": Card(364e12, 32e9),
    "RTX 4090": Card(165e12, 32e9),
    "RTX 3060": Card(51e12, 16e9),
}


def bound_frames_per_s(card: Card) -> float:
    """Return the frames per second that neither arithmetic nor PCIe allows to exceed.

    The network's activations are left out, so a real bound is lower: its wide early layers are bound by memory.
    """
    return min(card.flop_per_s / FLOP_PER_FRAME, card.pcie_bytes_per_s / PCIE_BYTES_PER_FRAME)
