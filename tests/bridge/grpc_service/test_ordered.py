"""bridge/grpc_service/ordered.py"""

import asyncio
import contextlib

import pytest

from bridge.grpc_service.ordered import in_order

WAIT_S = 5.0


async def numbers(count):
    for number in range(count):
        yield number


async def test_answers_come_in_the_order_of_requests():
    """An answer that is ready early waits for those before it."""
    released = [asyncio.Event() for _ in range(3)]

    async def answer(number):
        await released[number].wait()
        if number:
            released[number - 1].set()
        return number * 10

    released[2].set()
    assert [value async for value in in_order(numbers(3), answer, 8)] == [0, 10, 20]


async def test_no_more_than_the_window():
    """Requests beyond the window are not begun before an answer was taken."""
    begun, full = [], asyncio.Event()

    async def answer(number):
        begun.append(number)
        if len(begun) == 3:
            full.set()
        await full.wait()
        return number

    answers = in_order(numbers(10), answer, 3)
    async with contextlib.aclosing(answers):
        for number in range(7):
            assert await anext(answers) == number
            assert len(begun) <= number + 3


async def test_an_answer_before_the_next_request():
    """A sender that waits for each answer before its next request gets it."""
    received = asyncio.Queue()

    async def one_by_one():
        yield 1
        assert await received.get() == 10
        yield 2

    async def answer(number):
        return number * 10

    async for value in in_order(one_by_one(), answer, 4):
        received.put_nowait(value)
    assert value == 20


async def test_closing_cancels_what_is_under_way():
    """Whoever stops listening has the rest cancelled."""
    under_way, cancelled = asyncio.Event(), []

    async def answer(number):
        if not number:
            return number
        under_way.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise

    answers = in_order(numbers(3), answer, 8)
    assert await anext(answers) == 0
    await asyncio.wait_for(under_way.wait(), WAIT_S)
    await answers.aclose()
    assert cancelled == [1, 2]


@pytest.mark.parametrize("where", ["requests", "answer"])
async def test_errors_come_through(where):
    """What the sender or an answer raises is raised, after the answers before it."""

    async def requests():
        yield 0
        if where == "requests":
            raise ValueError("requests")
        yield 1

    async def answer(number):
        if number:
            raise ValueError("answer")
        return number

    answers = in_order(requests(), answer, 4)
    assert await anext(answers) == 0
    with pytest.raises(ValueError, match=where):
        await anext(answers)
