from __future__ import annotations

import numpy as np
import pytest

from training.plot import _smooth, draw_curve
from training.trainer import Record


def test_a_panel_for_each_stage() -> None:
    """Two stages are drawn one below the other, each with a line from its left to its right."""
    history = [
        Record(step, "listen" if step < 50 else "paint", step * 2.0, 1 / step) for step in range(1, 100)
    ]
    picture = draw_curve(history)
    assert picture.shape == (560, 960, 3)
    for panel in (picture[:280], picture[280:]):
        blue = (panel == (180, 90, 30)).all(axis=-1)
        columns = np.flatnonzero(blue.any(axis=0))
        assert columns[0] <= 66
        assert columns[-1] >= 940


def test_falling_losses_fall_in_the_picture() -> None:
    """The curve's left end is higher than its right end."""
    picture = draw_curve([Record(step, "paint", float(step), 1 / step) for step in range(1, 100)])
    blue = (picture == (180, 90, 30)).all(axis=-1)
    assert np.flatnonzero(blue[:, 80]).mean() < np.flatnonzero(blue[:, 900]).mean()


def test_one_step_and_none() -> None:
    """A history too short for a line is no error."""
    assert draw_curve([Record(1, "paint", 1.0, 0.5)]).shape == (280, 960, 3)
    assert (draw_curve([]) == 255).all()


def test_the_curve_is_smooth() -> None:
    """Each point is the mean of the 2 % of the curve on either side of it; at the ends of what there is."""
    smooth = _smooth(np.eye(1, 200, 100)[0])
    assert np.flatnonzero(smooth > 1e-12).tolist() == list(range(96, 105))
    assert smooth[100] == pytest.approx(1 / 9)
    assert _smooth(np.arange(200.0))[[0, 199]].tolist() == [2, 197]
