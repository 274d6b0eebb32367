"""bridge/front/front.py"""

import asyncio
import logging

from bridge.config import BridgeConfig
from bridge.front.errors import HeadTooLarge
from bridge.front.front import Front
from bridge.front.limits import Limit, Most


def front_of():
    return Front(BridgeConfig(), None, Limit(Most("requests", 1, 1)), 1)


async def test_an_answer_to_what_cannot_be_read():
    """What cannot be read is answered with an error, which has an id."""
    response = await front_of().answer_to(HeadTooLarge(1))
    assert (response.status_code, "X-Request-ID" in response.headers) == (431, True)


async def test_a_bug_is_in_the_log(caplog):
    """An exception that nobody foresaw is in the log."""

    async def fail():
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        await asyncio.wait({front_of().start(fail())})
        await asyncio.sleep(0)
    assert "a bug: an answer ended with a foreign exception" in caplog.text


async def test_closing_waits_for_answers_and_no_longer():
    """At the end answers are waited for, for a while."""
    front, ended = front_of(), []

    async def answer(event):
        try:
            await event.wait()
        finally:
            ended.append(event.is_set())

    soon, never = asyncio.Event(), asyncio.Event()
    front.start(answer(soon))
    front.start(answer(never))
    asyncio.get_running_loop().call_soon(soon.set)
    await front.close(0.05)
    assert ended == [True, False]
