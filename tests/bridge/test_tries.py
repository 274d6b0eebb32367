"""bridge/tries.py"""

import asyncio

import pytest

from bridge.errors import BadRequest, InferTimeout, InternalError, UnknownModel, UpstreamLost
from bridge.latency import Latencies
from bridge.tries import Budget, Tries
from bridge.upstream import Upstream

WAIT_S = 5.0


class Waiting:
    """Upstreams in order, and what each answers when it is told to."""

    def __init__(self, *names):
        self.upstreams = [Upstream(f"{name}:1") for name in names]
        self.latencies = Latencies()
        self.budget = Budget()
        self.answers = {upstream.client: asyncio.Future() for upstream in self.upstreams}
        self.asked = []
        self.adopted = []
        self.blamed = []
        self.is_full = False
        for _ in range(8):
            self.latencies.add("echo", 0.001)

    def lease_next(self, kind, asked, with_room=False):
        left = [upstream for upstream in self.upstreams if upstream not in asked]
        if with_room and self.is_full:
            return None
        return left[0].take() if left else None

    def adopt(self, task):
        self.adopted.append(task)

    def blame(self, upstream, kind, call):
        self.blamed.append(upstream.address)

    async def call(self, client):
        self.asked.append(client.address)
        return await asyncio.shield(self.answers[client])

    def answer(self, number, answer):
        future = self.answers[self.upstreams[number].client]
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    async def close(self):
        for task in self.adopted:
            task.cancel()
        await asyncio.gather(*self.adopted, return_exceptions=True)
        for upstream in self.upstreams:
            await upstream.client.close()


@pytest.fixture
async def pool():
    pool = Waiting("a", "b", "c")
    yield pool
    await pool.close()


async def begin(pool):
    """Begin a call; return its tries and the task that waits for its answer."""
    tries = Tries(pool, "echo", pool.call)
    task = asyncio.create_task(tries.run(pool.lease_next("echo", ())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tries, task


async def asked(pool, count):
    """Return once so many upstreams were asked."""
    while len(pool.asked) < count:
        await asyncio.wait_for(asyncio.sleep(0.005), WAIT_S)


async def test_one_try_is_enough(pool):
    """An answer in time needs no second try."""
    _, task = await begin(pool)
    pool.answer(0, "first")
    assert await task == "first"
    assert pool.asked == ["a:1"]
    assert pool.upstreams[0].inflight == 0


async def test_the_first_answer_wins(pool):
    """A late try is overtaken by a second one, and goes on for a while."""
    _, task = await begin(pool)
    await asked(pool, 2)
    pool.answer(1, "second")
    assert await task == "second"
    assert [upstream.inflight for upstream in pool.upstreams] == [1, 0, 0]
    pool.answer(0, "too late")
    await asyncio.gather(*pool.adopted)
    assert pool.upstreams[0].inflight == 0
    assert pool.upstreams[0].pace > pool.upstreams[1].pace
    assert pool.blamed == []


async def test_a_late_try_may_still_win(pool):
    """A second try does not stop the first one from answering."""
    _, task = await begin(pool)
    await asked(pool, 2)
    pool.answer(0, "first")
    assert await task == "first"


async def test_a_second_try_is_made_when_it_may_be(pool):
    """Where nobody may be asked when the first try is late, that is tried again until it may."""
    pool.is_full = True
    _, task = await begin(pool)
    await asyncio.sleep(3 * pool.latencies.late_s("echo"))
    assert pool.asked == ["a:1"]
    pool.is_full = False
    await asked(pool, 2)
    pool.answer(1, "second")
    assert await task == "second"


async def test_one_that_never_answers_is_blamed(pool, monkeypatch):
    """A try that was overtaken and is not answered in four times what is late is its upstream's failure."""
    monkeypatch.setattr("bridge.tries.LEAST_LIMIT_S", 0.0)
    _, task = await begin(pool)
    await asked(pool, 2)
    pool.answer(1, "second")
    await task
    await asyncio.gather(*pool.adopted, return_exceptions=True)
    assert pool.blamed == ["a:1"]
    assert pool.upstreams[0].inflight == 0


async def test_a_failure_is_tried_elsewhere(pool):
    """An internal error is another upstream's to answer, and blamed on the one that had it."""
    _, task = await begin(pool)
    pool.answer(0, InternalError("its process died"))
    await asked(pool, 2)
    pool.answer(1, "second")
    assert await task == "second"
    assert pool.blamed == ["a:1"]


async def test_what_fails_twice_is_nobodys_fault(pool):
    """A call that two upstreams fail is answered with neither, asked of no third, and blamed on none."""
    tries, task = await begin(pool)
    pool.answer(0, InternalError("a broken frame"))
    pool.answer(1, InternalError("a broken frame"))
    assert await task is None
    assert [failure.code for failure in tries.failures] == ["internal", "internal"]
    assert pool.asked == ["a:1", "b:1"]
    assert pool.blamed == []


async def test_a_try_that_is_taken_away_is_lost(pool):
    """A try that its upstream lets go is made on another."""
    _, task = await begin(pool)
    pool.upstreams[0].let_go()
    await asked(pool, 2)
    pool.answer(1, "second")
    assert await task == "second"


async def test_those_that_do_not_know_do_not_count(pool):
    """Upstreams without the model hand on, however many."""
    tries, task = await begin(pool)
    pool.answer(0, UnknownModel("echo"))
    pool.answer(1, UnknownModel("echo"))
    pool.answer(2, UpstreamLost("c:1", "it was closed"))
    assert await task is None
    assert str(tries.unknown) == "expected the name of a loaded model, got 'echo'"
    assert [failure.code for failure in tries.failures] == ["upstream_lost"]
    assert pool.asked == ["a:1", "b:1", "c:1"]


@pytest.mark.parametrize("error", [BadRequest("a", "b", "c"), InferTimeout("echo", 5.0)])
async def test_what_another_would_say_too(pool, error):
    """A bad request, or a deadline that has passed, is not tried again."""
    _, task = await begin(pool)
    pool.answer(0, error)
    with pytest.raises(type(error)):
        await task
    assert pool.asked == ["a:1"]


async def test_a_cancelled_call_cancels_all_its_tries(pool):
    """A caller that leaves takes its tries along."""
    _, task = await begin(pool)
    await asked(pool, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [upstream.inflight for upstream in pool.upstreams] == [0, 0, 0]
    assert [upstream.error_count for upstream in pool.upstreams] == [0, 0, 0]


def test_the_budget():
    """Twenty second tries are saved up at most, and five calls earn one."""
    budget = Budget()
    assert [budget.spend() for _ in range(21)] == [True] * 20 + [False]
    for _ in range(4):
        budget.earn()
    assert not budget.spend()
    for _ in range(2):
        budget.earn()
    assert budget.spend()
    assert not budget.spend()
