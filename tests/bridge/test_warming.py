"""bridge/warming.py"""

from bridge.warming import MOST_COPIES, WARM_COPIES, Warming

CACHED_S, COMPUTED_S = 0.001, 0.05


def noted(warming: Warming, *durations_s: float) -> Warming:
    """Have copies taken so long where others answer from a cache."""
    for duration_s in durations_s:
        warming.note(duration_s, CACHED_S)
    return warming


def test_only_what_came_back_is_warmed():
    """One that never was away gets no copies."""
    assert not Warming().is_due


def test_it_is_warm_once_answers_are_quick():
    """It gets copies until many answers in a row were quick; a slow one begins the count anew."""
    warming = Warming()
    warming.begin()
    assert noted(warming, *[CACHED_S] * (WARM_COPIES - 1)).is_due
    assert noted(warming, COMPUTED_S, *[CACHED_S] * (WARM_COPIES - 1)).is_due
    assert not noted(warming, CACHED_S).is_due
    assert not noted(warming, COMPUTED_S).is_due


def test_a_few_milliseconds_are_no_cold_cache():
    """Where others take a millisecond, ten are noise."""
    warming = Warming()
    warming.begin()
    assert not noted(warming, *[0.01] * WARM_COPIES).is_due


def test_nothing_is_cached():
    """Where others compute as well, it is as quick as they are at once."""
    warming = Warming()
    warming.begin()
    for _ in range(WARM_COPIES):
        warming.note(COMPUTED_S, COMPUTED_S)
    assert not warming.is_due


def test_it_ends():
    """One whose answers never get quicker is let be, until it comes back the next time."""
    warming = Warming()
    warming.begin()
    assert not noted(warming, *[COMPUTED_S] * MOST_COPIES).is_due
    warming.begin()
    assert warming.is_due
