"""benchmarks/gpu/roofline.py"""

import pytest

from benchmarks.gpu.roofline import CARDS, Card, bound_frames_per_s


def test_the_tighter_bound_counts():
    """A card of much arithmetic is bound by PCIe, one of little by arithmetic."""
    assert bound_frames_per_s(Card(9.77e9 * 100, 1e15)) == pytest.approx(100)
    assert bound_frames_per_s(Card(1e18, (2 * 307_200 + 32_768) * 50)) == pytest.approx(50)


def test_the_goal_is_possible():
    """The goal of 10,000 frames/s on an H200 is below what the card allows."""
    assert bound_frames_per_s(CARDS["H200"]) > 10_000
