"""benchmarks/live.py; on the real Triton in test_main.py"""

from __future__ import annotations

import pytest

from benchmarks.live import LiveStep, more_and_more, most_carried
from benchmarks.speakers import BURSTS, MICROPHONE, Heard


def step(sessions: int, skipped: int = 0, late_ms: float = 0.0) -> LiveStep:
    """Return a step whose pictures are all as late as that."""
    heard = Heard(1000, 1000 - skipped, [late_ms] * (1000 - skipped), [50.0], [0.5])
    return LiveStep(MICROPHONE, sessions, heard, 12, 4)


@pytest.mark.parametrize(
    ("skipped", "late_ms", "carried"),
    [(10, 200.0, True), (11, 0.0, False), (0, 201.0, False), (1000, 0.0, False)],
)
def test_carried(skipped: int, late_ms: float, carried: bool) -> None:
    """At most 1 % of the pictures are skipped, and 95 % of the others at most 0.2 s late."""
    assert step(1, skipped, late_ms).is_carried == carried


@pytest.mark.parametrize(
    ("carries", "most", "tried"),
    [
        (0, 8, [1]),
        (5, 100, [1, 2, 4, 8, 6, 5]),
        (100, 6, [1, 2, 4, 6]),
        (1, 1, [1]),
    ],
)
async def test_more_and_more(carries: int, most: int, tried: list[int]) -> None:
    """Sessions are doubled while they are carried, then the gap is halved."""

    async def try_out(sessions: int) -> LiveStep:
        return step(sessions, 0 if sessions <= carries else 500)

    steps = [found async for found in more_and_more(try_out, most)]
    assert [found.sessions for found in steps] == tried
    assert most_carried(steps, MICROPHONE) == min(carries, most)
    assert most_carried(steps, BURSTS) == 0


def test_row() -> None:
    """A row says what was seen, and leaves open what was not."""
    row = step(3, late_ms=-20.0).row("demo")
    assert (row["sessions"], row["late p95_ms"], row["first picture p50_ms"]) == (3, -20.0, 50.0)
    assert (row["vectors a batch"], row["carried"]) == (3.0, "yes")
    assert step(3, 1000).row("demo")["late p95_ms"] == ""
    assert list(step(3, 1000).row("demo")) == list(row)
