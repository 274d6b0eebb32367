"""bridge/turns.py"""

import asyncio

import pytest

from bridge import turns
from bridge.errors import NoUpstreamReady, Overloaded
from bridge.turns import Client, Turns, ask_as, current, patiently
from bridge.upstream import Upstream
from tests.bridge.helpers import until

LONG_S = 60.0
SHORT_S = 0.02


class Server:
    """One upstream with room for so many calls, before which clients take turns."""

    def __init__(self, room=1):
        self.room = room
        self.upstream = Upstream("a:1", on_change=self.wake)
        self.upstream.ready = True
        self.turns = Turns(self.pick)
        self.served = []
        self.leases = []
        self.tasks = []

    def wake(self):
        self.turns.wake()

    def pick(self, kind):
        if not self.upstream.ready:
            raise NoUpstreamReady(0, 1)
        return self.upstream.take() if self.upstream.inflight < self.room else None

    async def ask(self, name, count=1, patience_s=LONG_S, deadline_s=LONG_S, is_urgent=False, **client):
        """Have a client ask; return the tasks once all have their places."""
        tasks = [
            asyncio.create_task(self._ask(Client(name, **client), patience_s, deadline_s, is_urgent))
            for _ in range(count)
        ]
        self.tasks += tasks
        await asyncio.sleep(0)
        return tasks

    async def _ask(self, client, patience_s, deadline_s, is_urgent):
        turns.current.set(client)
        lease = await self.turns.enter("echo", patience_s, deadline_s, is_urgent=is_urgent)
        self.served.append(client.name)
        self.leases.append(lease)

    async def answer(self, count=1):
        """Have the calls that were served first answered, one by one."""
        for _ in range(count):
            served = len(self.served)
            self.leases.pop(0).release()
            if self.turns.waiting:
                await until(lambda: len(self.served) > served)  # noqa: B023

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.upstream.client.close()


@pytest.fixture
async def server(monkeypatch):
    monkeypatch.setattr(turns, "STANDING_S", 0.0)
    server = Server()
    yield server
    await server.close()


async def test_no_waiting_where_there_is_room(server):
    """Where there is room, a call is served at once."""
    server.room = 3
    await server.ask("a", 3)
    assert server.served == ["a", "a", "a"]
    assert server.turns.waiting == 0


async def test_turns(server):
    """Two clients that ask for much are served in turn, however much more one of them asks for."""
    await server.ask("a", 20)
    await server.ask("b", 4)
    await server.answer(8)
    assert sorted(server.served[1:9]) == ["a"] * 4 + ["b"] * 4
    assert server.turns.waiting == 15


async def test_who_asks_rarely_is_next(server):
    """A client that asks now and then comes before any number of others that always do."""
    for number in range(30):
        await server.ask(f"greedy {number}", 8)
    await server.answer(60)
    for _ in range(3):
        await server.ask("modest")
        await server.answer()
        assert server.served[-1] == "modest"
        await server.answer(35)


async def test_who_has_few_waiting_comes_before_who_has_many(server):
    """A client that asks often, one at a time, comes before those that keep many waiting, from their first call on."""
    for number in range(5):
        await server.ask(f"greedy {number}", 8)
    for _ in range(10):
        await server.ask("steady")
        await server.answer()
        assert server.served[-1] == "steady"


async def test_past_frugality_earns_nothing(server):
    """A client that was away for long gets its turns, and no more than those."""
    await server.ask("a", 60)
    await server.answer(20)
    await server.ask("b", 20)
    await server.answer(20)
    assert 9 <= server.served[-20:].count("b") <= 11


async def test_the_latest_of_equals_is_next(server):
    """Of clients that have had as much as each other, the one that asked last is served first."""
    await server.ask("busy", 1)
    for name in "abc":
        await server.ask(name)
    await server.answer(3)
    assert server.served == ["busy", "c", "b", "a"]


async def test_live_sessions_come_first(server):
    """Urgent calls come before all others, and take turns among themselves."""
    await server.ask("clip", 5)
    await server.ask("live a", 3, is_urgent=True)
    await server.ask("live b", 3, is_urgent=True)
    await server.answer(6)
    assert sorted(server.served[1:]) == ["live a"] * 3 + ["live b"] * 3
    assert set(server.served[1:3]) == {"live a", "live b"}


async def test_too_long(server, caplog):
    """A call that has waited long while others wait is refused, and the log tells once of all such."""
    await server.ask("busy")
    late = [*(await server.ask("a", 2, SHORT_S)), *(await server.ask("b", 2, SHORT_S))]
    done = await asyncio.wait_for(asyncio.gather(*late[:2], late[3], return_exceptions=True), LONG_S)
    assert {type(exc) for exc in done} == {Overloaded}
    assert str(done[0]) == "expected a turn for model 'echo' within 0.02 s, got none; try again later"
    assert [message for message in caplog.messages if "more is asked" in message] == [
        "more is asked than Triton can answer: 1 refused, 4 wait"
    ]


async def test_a_moments_queue_refuses_nobody(server, monkeypatch):
    """As long as the queue was empty a moment ago, calls wait longer; where it stands, they are refused."""
    monkeypatch.setattr(turns, "STANDING_S", 4 * SHORT_S)
    await server.ask("busy")
    calls = [*(await server.ask("a", 1, SHORT_S)), *(await server.ask("b", 1, SHORT_S))]
    await asyncio.sleep(2.5 * SHORT_S)
    assert not any(call.done() for call in calls)
    done, _ = await asyncio.wait(calls, timeout=LONG_S, return_when=asyncio.FIRST_COMPLETED)
    with pytest.raises(Overloaded):
        await done.pop()


async def test_many_in_flight_are_refused_few_at_a_time(server):
    """A client with many calls in flight beside others loses one now and then, not all that it would ask again."""
    await server.ask("busy")
    await server.ask("other", 2)
    calls = await server.ask("a", 30, SHORT_S, has_window=True)
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(10 * SHORT_S)
    refused = sum(call.done() for call in calls)
    passed = (asyncio.get_running_loop().time() - began_s) / SHORT_S
    assert 1 <= refused <= 1 + passed / 4


async def test_the_next_one_stays(server):
    """A call that is next is not refused, though nothing was free for long."""
    await server.ask("busy")
    (call,) = await server.ask("modest", 1, SHORT_S)
    await asyncio.sleep(3 * SHORT_S)
    assert not call.done()
    await server.answer()
    await call
    assert server.served == ["busy", "modest"]


async def test_the_deadline(server):
    """A call is refused at its deadline in any case."""
    await server.ask("busy")
    for client in ({}, {"has_window": True}, {"is_patient": True}):
        (call,) = await server.ask("a", 1, SHORT_S, 2 * SHORT_S, **client)
        with pytest.raises(Overloaded):
            await asyncio.wait_for(call, LONG_S)


async def test_alone_one_waits_for_oneself(server):
    """A connection that nobody else competes with may wait for its own calls; one without a window may not."""
    await server.ask("a")
    calls = await server.ask("a", 4, SHORT_S, has_window=True)
    await asyncio.sleep(3 * SHORT_S)
    assert not any(call.done() for call in calls)
    await server.answer(4)
    await asyncio.gather(*calls)
    calls = await server.ask("b", 4, SHORT_S)
    await asyncio.wait(calls[1:], timeout=LONG_S)
    assert [call.done() for call in calls] == [False, True, True, True]


async def test_the_patient_wait(server):
    """Who makes a file, and who speaks, would rather wait than be refused."""
    await server.ask("busy")
    patient = await server.ask("file", 2, SHORT_S, is_patient=True)
    urgent = await server.ask("live", 2, SHORT_S, is_urgent=True)
    await asyncio.sleep(3 * SHORT_S)
    assert not any(call.done() for call in [*patient, *urgent])


async def test_patiently(server):
    """What is asked in the block waits rather than be refused, and what is asked after it does not."""
    await server.ask("busy")
    await server.ask("other", 2)
    ask_as("page")
    with patiently():
        assert current.get().is_patient
        waiting = asyncio.create_task(server.turns.enter("echo", SHORT_S, LONG_S))
        await asyncio.sleep(0)
    assert not current.get().is_patient
    with pytest.raises(Overloaded):
        await server.turns.enter("echo", SHORT_S, LONG_S)
    assert not waiting.done()
    waiting.cancel()


async def test_nobody_to_wait_for(server):
    """Where the last upstream goes, those that wait are told so at once, and so is who asks now."""
    await server.ask("a")
    waiting = await server.ask("b", 3)
    server.upstream.ready = False
    server.turns.wake()
    for call in [*waiting, *(await server.ask("c"))]:
        with pytest.raises(NoUpstreamReady):
            await asyncio.wait_for(call, LONG_S)
    assert server.turns.waiting == 0


async def test_who_leaves_takes_no_turn(server):
    """A cancelled call leaves its place, and gives back what it was lent in the same moment."""
    await server.ask("busy")
    (gone,) = await server.ask("gone")
    await server.ask("here")
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    (unlucky,) = await server.ask("unlucky")
    server.leases.pop().release()  # it is lent to the unlucky one, which is cancelled before it knows
    unlucky.cancel()
    await until(lambda: server.served == ["busy", "here"])
    assert server.upstream.inflight == 1


async def test_clients_are_forgotten(server):
    """Clients that nothing is held against are not remembered for ever."""
    server.room = 10_000
    for number in range(5000):
        await server.ask(str(number))
    assert len(server.turns._lines) < 5000
