"""Bring pictures of a high dynamic range, PQ or HLG, to the range and the primaries of common screens."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["TRANSFERS", "WHITE_NITS", "to_standard_range"]

TRANSFERS = {"pq": "PQ", "hlg": "HLG"}

WHITE_NITS = 203.0
"""What white is in such a video, cd/m² (ITU-R BT.2408); white of a common screen is made of it."""

PEAK_NITS = 1000.0
"""The brightest light that is told apart: what phones record and HLG is defined for (BT.2100)."""

SCREEN_GAMMA = 2.4  # BT.1886
PEAK = PEAK_NITS / WHITE_NITS
HLG_SYSTEM_GAMMA = 1.2  # BT.2100, at 1000 cd/m²

PQ_M1, PQ_M2, PQ_C1, PQ_C2, PQ_C3 = 1305 / 8192, 2523 / 32, 107 / 128, 2413 / 128, 2392 / 128
HLG_A, HLG_B, HLG_C = 0.17883277, 0.28466892, 0.55991073

FROM_BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""RGB of BT.2020 to RGB of BT.709, both linear (ITU-R BT.2087)."""

LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)


def to_standard_range(picture: NDArray[np.uint16], transfer: str) -> NDArray[np.uint8]:
    """Convert one picture of BT.2020 primaries to BT.709.

    Up to half of white, light stays as it is; above, the curve of ITU-R BT.2390 bends 1000 cd/m² down to white. It is
    applied to the brightest of the three colours, and all three are scaled alike, so that skin keeps its hue.

    Args:
        picture: HxWx3 uint16, RGB, 0 to 65535.
        transfer: ``pq`` or ``hlg``.

    Returns:
        HxWx3 uint8, BGR.
    """
    light = _linear(transfer)[picture]  # of white, 1.0
    if transfer == "hlg":
        light *= cv2.pow(cv2.transform(light, LUMA[None]), HLG_SYSTEM_GAMMA - 1)[..., None] * PEAK
    table = _gains()
    brightest = np.sqrt(light.max(axis=2) * (1 / PEAK)) * (len(table) - 1)
    light *= table[np.minimum(brightest, len(table) - 1).astype(np.int32)][..., None]
    light = cv2.transform(light, FROM_BT2020).clip(0, 1)
    levels = cv2.pow(light[..., ::-1], 1 / SCREEN_GAMMA) * 255
    picture_8: NDArray[np.uint8] = np.rint(levels).astype(np.uint8)
    return picture_8


@functools.cache
def _linear(transfer: str) -> NDArray[np.float32]:
    """Return the light, 1.0 for white, of each of 65,536 levels; of HLG the light of the scene, up to 1.0."""
    levels = np.arange(65536) / 65535
    light = _from_pq(levels) / WHITE_NITS if transfer == "pq" else _from_hlg(levels)
    return light.astype(np.float32)


@functools.cache
def _gains() -> NDArray[np.float32]:
    """Return what light is multiplied by, for each of 65,536 square roots of light from 0 to 1000 cd/m²."""
    nits = np.linspace(0, 1, 65536) ** 2 * PEAK_NITS
    gains = _from_pq(_bend(_to_pq(nits))) / np.maximum(nits, 1e-9)
    gains[0] = 1
    table: NDArray[np.float32] = gains.astype(np.float32)
    return table


def _bend(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the curve of BT.2390, 5.4.1, from 1000 cd/m² to white; levels are PQ's."""
    peak, white = _to_pq(np.array([PEAK_NITS, WHITE_NITS]))
    most = white / peak
    knee = 1.5 * most - 0.5
    e = level / peak
    t = np.maximum(0, (e - knee) / (1 - knee))
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * most
    )
    bent: NDArray[np.float64] = np.where(e < knee, e, spline) * peak
    return bent


def _from_pq(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of PQ levels of 0 to 1, in cd/m² (BT.2100)."""
    root = level ** (1 / PQ_M2)
    nits: NDArray[np.float64] = 10_000 * (np.maximum(root - PQ_C1, 0) / (PQ_C2 - PQ_C3 * root)) ** (1 / PQ_M1)
    return nits


def _to_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the PQ level of light in cd/m²."""
    power = (nits / 10_000) ** PQ_M1
    return ((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power)) ** PQ_M2


def _from_hlg(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scene's light, 0 to 1, of HLG levels of 0 to 1 (BT.2100)."""
    return np.where(level <= 0.5, level**2 / 3, (np.exp((level - HLG_C) / HLG_A) + HLG_B) / 12)
