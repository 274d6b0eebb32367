"""bridge/recent.py"""

import asyncio

import pytest

from bridge.recent import Recent


class Maker:
    """Makes values, counts how often, and waits for ``release`` if there is one."""

    def __init__(self, value=1, release=None):
        self.value = value
        self.count = 0
        self._release = release

    async def __call__(self):
        self.count += 1
        if self._release is not None:
            await self._release.wait()
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


async def test_remembered():
    """A value is made once until its model is forgotten, whatever else is in its key; another key has its own."""
    recent, anna, ben = Recent(3600, 4), Maker(1), Maker(2)
    for _ in range(2):
        assert await recent.get(("anna", "1"), anna) == 1
        assert await recent.get(("ben", "1"), ben) == 2
    recent.forget("anna")
    assert await recent.get(("anna", "1"), anna) == 1
    assert await recent.get(("ben", "1"), ben) == 2
    assert (anna.count, ben.count) == (2, 1)


async def test_not_for_longer_than_its_time(monkeypatch):
    """A value as old as ``ttl_s`` is made anew."""
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    recent, anna = Recent(5, 4), Maker()
    await recent.get(("anna",), anna)
    now_s = 104.9
    await recent.get(("anna",), anna)
    assert anna.count == 1
    now_s = 105.0
    await recent.get(("anna",), anna)
    assert anna.count == 2


async def test_of_no_time():
    """With 0 seconds nothing is remembered."""
    recent, anna = Recent(0, 4), Maker()
    await recent.get(("anna",), anna)
    await recent.get(("anna",), anna)
    assert anna.count == 2


async def test_not_too_much():
    """Beyond ``max_size`` what was asked for longest ago goes; what is larger by itself is not remembered at all."""
    recent = Recent(3600, 10, len)
    makers = {name: Maker("x" * size) for name, size in (("anna", 4), ("ben", 4), ("cleo", 4), ("dora", 11))}
    for name in ("anna", "ben", "anna", "dora", "cleo", "anna", "cleo", "ben", "dora"):
        await recent.get((name,), makers[name])
    assert {name: maker.count for name, maker in makers.items()} == {
        "anna": 1,
        "ben": 2,
        "cleo": 1,
        "dora": 2,
    }


async def test_many_ask_at_once():
    """Those who ask while a value is made wait for that one; one who leaves does not stop it."""
    release = asyncio.Event()
    recent, anna = Recent(3600, 4), Maker(1, release)
    waiting = [asyncio.create_task(recent.get(("anna",), anna)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert (await asyncio.gather(waiting[0], return_exceptions=True))[0].__class__ is asyncio.CancelledError
    release.set()
    assert await asyncio.gather(*waiting[1:]) == [1, 1, 1, 1]
    assert anna.count == 1


async def test_a_failure_is_not_remembered():
    """What goes wrong does so for all who wait, and is tried again for the next."""
    recent, anna = Recent(3600, 4), Maker(ValueError("no"))
    waiting = [asyncio.create_task(recent.get(("anna",), anna)) for _ in range(2)]
    assert [str(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == ["no", "no"]
    with pytest.raises(ValueError, match="no"):
        await recent.get(("anna",), anna)
    assert anna.count == 2


async def test_a_failure_that_nobody_waits_for(caplog):
    """What goes wrong when all have left is no complaint of asyncio's."""
    release = asyncio.Event()
    recent, anna = Recent(3600, 4), Maker(ValueError("no"), release)
    waiting = asyncio.create_task(recent.get(("anna",), anna))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    (making,) = recent._tasks
    release.set()
    await asyncio.wait({making})
    del making
    await asyncio.sleep(0)
    assert (recent._tasks, caplog.text) == (set(), "")


async def test_forgotten_while_it_is_made():
    """A value whose model is forgotten meanwhile is given to those who wait, and made anew for the next."""
    release = asyncio.Event()
    recent, old, new = Recent(3600, 4), Maker("old", release), Maker("new")
    waiting = asyncio.create_task(recent.get(("anna",), old))
    await asyncio.sleep(0)
    recent.forget("anna")
    assert await recent.get(("anna",), new) == "new"
    release.set()
    assert await waiting == "old"
    assert await recent.get(("anna",), old) == "new"


async def test_close():
    """Closing stops what is being made, also what was forgotten."""
    recent, anna = Recent(3600, 4), Maker(1, asyncio.Event())
    waiting = [asyncio.create_task(recent.get(("anna",), anna))]
    await asyncio.sleep(0)
    recent.forget("anna")
    waiting.append(asyncio.create_task(recent.get(("anna",), anna)))
    await asyncio.sleep(0)
    await recent.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in ended] == [asyncio.CancelledError] * 2
