"""benchmarks/simulation/cache.py"""

import pytest

from benchmarks.simulation.cache import ResponseCache, hit_share


def test_the_least_recently_used_goes_first():
    """What was asked for last stays."""
    cache = ResponseCache(300, 100)
    for frame_id in range(3):
        cache.keep("a", frame_id)
    assert cache.has("a", 0)
    cache.keep("a", 3)
    assert [cache.has("a", frame_id) for frame_id in range(4)] == [True, False, True, True]
    assert len(cache) == 3


def test_none():
    """A cache of no bytes keeps nothing."""
    cache = ResponseCache(0, 100)
    cache.keep("a", 0)
    assert len(cache) == 0


@pytest.mark.parametrize(("pictures", "share"), [(400, 1.0), (399, 0.9), (200, 0.0)])
def test_loops_are_all_or_nothing(pictures, share):
    """Clips that are looped fit, or are nearly never there: the picture wanted next is the one that went first."""
    found = hit_share([ResponseCache(pictures, 1)], avatars=4, frames=100)
    assert found == share if share in (0.0, 1.0) else found < share


def test_every_triton_needs_all_of_them():
    """Asked of any of four Tritons, all clips have to fit in each cache; a quarter of them fits where all do not."""
    assert hit_share([ResponseCache(120, 1) for _ in range(4)], avatars=4, frames=100) < 0.5
    assert hit_share([ResponseCache(120, 1)], avatars=1, frames=100) == 1.0
