"""Draw a loss curve with OpenCV: a plotting library would be this package's largest dependency after torch."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.trainer import Record

__all__ = ["draw_curve"]

WIDTH, PANEL_HEIGHT, MARGIN = 960, 280, 64
INK, LIGHT, LINE = (60, 60, 60), (225, 225, 225), (180, 90, 30)
SMOOTHING_SHARE = 0.02
GRID_LINES = 5
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_curve(history: Sequence[Record]) -> NDArray[np.uint8]:
    """Return a picture of the losses, one panel a stage, logarithmic: (H, 960, 3) uint8 BGR."""
    stages = list(dict.fromkeys(record.stage for record in history))
    panels = [_panel([record for record in history if record.stage == stage]) for stage in stages]
    return np.concatenate(panels) if panels else np.full((PANEL_HEIGHT, WIDTH, 3), 255, np.uint8)


def _panel(records: Sequence[Record]) -> NDArray[np.uint8]:
    picture = np.full((PANEL_HEIGHT, WIDTH, 3), 255, np.uint8)
    losses = np.array([record.loss for record in records])
    curve = _smooth(np.log10(np.maximum(losses, 1e-9)))
    low, high = float(curve.min()), max(float(curve.max()), float(curve.min()) + 0.05)
    for share in np.linspace(0, 1, GRID_LINES):
        y = _y(float(share))
        cv2.line(picture, (MARGIN, y), (WIDTH - 16, y), LIGHT, 1)
        _write(picture, f"{10 ** (low + share * (high - low)):.3g}", (8, y + 5))
    x = np.linspace(MARGIN, WIDTH - 16, len(curve))
    points = np.stack([x, [_y(float(value)) for value in (curve - low) / (high - low)]], -1)
    cv2.polylines(picture, [points.astype(np.int32)], False, LINE, 2, cv2.LINE_AA)
    first, last = records[0], records[-1]
    minutes = (last.elapsed_s - first.elapsed_s) / 60
    title = f"{first.stage}: loss, steps {first.step} to {last.step}, {minutes:.1f} min, last {10 ** curve[-1]:.4g}"
    _write(picture, title, (MARGIN, 24))
    return picture


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over 2 % of the curve on either side of each point, narrower at its ends."""
    reach = int(len(values) * SMOOTHING_SHARE)
    sums = np.cumsum(np.append(0, values))
    start = np.maximum(np.arange(len(values)) - reach, 0)
    stop = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    return np.asarray((sums[stop] - sums[start]) / (stop - start))


def _y(share: float) -> int:
    return int(PANEL_HEIGHT - 24 - share * (PANEL_HEIGHT - 64))


def _write(picture: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    cv2.putText(picture, text, place, FONT, 0.45, INK, 1, cv2.LINE_AA)
