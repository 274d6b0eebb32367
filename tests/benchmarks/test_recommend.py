"""benchmarks/recommend.py"""

import pytest

from benchmarks.recommend import recommend
from tests.benchmarks.test_sweep import point


def test_fastest_for_many():
    """The strategy with the most frames per second is for many viewers, that with the lowest p50 for one."""
    text = recommend(
        [point("latency", 1, 20.0, 50.0), point("hybrid", 1, 11.0, 90.0), point("hybrid", 8, 110.0, 70.0)]
    )
    assert text.startswith(
        "For one viewer: latency (p50 50.0 ms). For many: hybrid, 110.0 frames/s at 8 callers"
    )
    assert "4 viewers at 25 fps" in text


def test_simplest_within_the_margin():
    """A strategy that is less than 5 % faster than a simpler one is not worth its memory."""
    text = recommend([point("latency", 1, 100.0), point("multi_instance", 8, 104.0)])
    assert "For many: latency" in text


def test_a_cache_is_no_network():
    """`replay` answers from a cache: it is named for repeated frames, and its rate counts for nothing."""
    text = recommend([point("replay", 8, 9000.0, 1.0), point("latency", 1, 20.0)])
    assert "For many: latency, 20.0 frames/s" in text
    assert "less than one viewer" in text
    assert text.endswith("For frames asked for again and again: replay.")


def test_nothing_measured():
    """Without a strategy that computes there is nothing to recommend."""
    with pytest.raises(ValueError, match=r"expected a sweep of some of latency, "):
        recommend([point("replay", 8, 9000.0)])
