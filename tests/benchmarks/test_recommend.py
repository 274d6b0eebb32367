"""benchmarks/recommend.py"""

import pytest

from benchmarks.recommend import recommend, recommend_sessions
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


@pytest.mark.parametrize(
    ("pictures_per_s", "per_core", "said"),
    [
        (100.0, 80.0, "80 sessions a core · 2 cores) = 3: Triton's pictures are the limit."),
        (5000.0, 80.0, "80 sessions a core · 2 cores) = 160: the bridge is the limit."),
        (20.0, 80.0, "80 sessions a core · 2 cores) = less than one: Triton's pictures are the limit."),
    ],
)
def test_sessions(pictures_per_s, per_core, said):
    """Sessions are 0.9 of the pictures a second by 25, or what the bridge carries where that is less."""
    text = recommend_sessions("demo", pictures_per_s, per_core, 2, 4)
    assert text.startswith(f"Live sessions of 'demo': min(0.9 · {pictures_per_s:.1f} pictures/s / 25, ")
    assert text.endswith(f"{said} Measured through one bridge: 4.")
