"""benchmarks/gpu/live.py; on the real bridge and Triton in test_main.py"""

from __future__ import annotations

import pytest

from benchmarks.gpu.live import merged, next_sessions
from benchmarks.speakers import Heard


@pytest.mark.parametrize(
    ("carries", "tried"),
    [
        (0, [25, 12, 6, 3, 1]),
        (10, [25, 12, 6, 9, 10, 11]),
        (110, [25, 50, 100, 200, 150, 125, 112]),
        (1000, [25, 50, 100, 200, 400]),
        (399, [25, 50, 100, 200, 400, 300, 350]),
    ],
)
def test_how_many_are_tried(carries: int, tried: list[int]) -> None:
    """Sessions are doubled while they are carried, then the gap is halved until it is an eighth."""
    carried: dict[int, bool] = {}
    while (count := next_sessions(carried, 25, 400)) is not None:
        carried[count] = count <= carries
    assert list(carried) == tried
    good = max((count for count, well in carried.items() if well), default=0)
    assert good <= carries
    assert good >= min(carries, 400) * (1 - 1 / 7) - 1


def test_few_at_most() -> None:
    """No more are tried than there may be."""
    assert next_sessions({}, 25, 10) == 10
    assert next_sessions({10: True}, 25, 10) is None


def test_several_processes_hear_as_one() -> None:
    """Counts are added up, and what was timed is put together."""
    whole = merged([Heard(10, 9, [1.0], [2.0], [3.0]), Heard(5, 5, [4.0], [], [6.0])])
    assert whole == Heard(15, 14, [1.0, 4.0], [2.0], [3.0, 6.0])
