"""bridge/front/limits.py"""

import asyncio

import pytest

from bridge.access.client import Client
from bridge.front.errors import BridgeFull, TooMany
from bridge.front.limits import Budget, Limit, Most

ANNA, BERTA = Client("1.1.1.1"), Client("2.2.2.2")


def test_of_one_address():
    """An address has so many and no more, whatever the others have; what is given back can be taken again."""
    limit = Limit(Most("things", 2, 9))
    limit.take(ANNA)
    limit.take(ANNA)
    with pytest.raises(TooMany, match=r"^things: expected at most 2 of one address"):
        limit.take(ANNA)
    assert not limit.try_take(ANNA)
    limit.take(BERTA)
    limit.give_back(ANNA)
    assert limit.try_take(ANNA)
    assert limit.count == 3


def test_of_one_token():
    """A token has so many from all its addresses together, and those without one have theirs."""
    limit = Limit(Most("things", 1, 9))
    limit.take(Client("1.1.1.1", "t"))
    with pytest.raises(TooMany, match="of one token"):
        limit.take(Client("3.3.3.3", "t"))
    limit.take(Client("2.2.2.2", "other"))


def test_of_all():
    """All together have so many."""
    limit = Limit(Most("things", 9, 1))
    with limit.held(ANNA), pytest.raises(BridgeFull, match=r"^things: expected at most 1, got"):
        limit.take(BERTA)
    with limit.held(BERTA):
        pass
    assert limit.count == 0


async def test_waiting():
    """Those who wait have one as soon as there is one, in their order; who stops waiting is passed over."""
    limit = Limit(Most("things", 1, 9))
    limit.take(ANNA)
    waiting = [asyncio.create_task(limit.wait_and_take(ANNA)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    limit.give_back(ANNA)
    await asyncio.wait_for(waiting[1], 5)
    await asyncio.sleep(0)
    assert not waiting[2].done()
    limit.give_back(ANNA)
    await asyncio.wait_for(waiting[2], 5)
    limit.give_back(ANNA)
    assert limit.count == 0


async def test_whose_turn_comes_as_it_stops_waiting():
    """One whose turn came while it stopped waiting hands it on."""
    limit = Limit(Most("things", 1, 9))
    limit.take(ANNA)
    first, second = (asyncio.create_task(limit.wait_and_take(ANNA)) for _ in range(2))
    await asyncio.sleep(0)
    limit.give_back(ANNA)
    first.cancel()
    await asyncio.wait_for(second, 5)
    assert first.cancelled()


def test_budget():
    """Of a budget there is so much; who got none is told once when there is more."""
    budget, calls = Budget(10), []
    assert budget.take(10, lambda: calls.append("never"))
    assert not budget.take(1, tell := lambda: calls.append("told"))
    assert not budget.take(1, tell)
    budget.give_back(5)
    budget.give_back(5)
    assert calls == ["told"]
    assert budget.take(10, tell)
