"""bridge/front/read_turns.py"""

import asyncio

from bridge.front.read_turns import RUN_COST, Line, ReadTurns, Taker


class Someone(Taker):
    """Takes turns of a cost, and notes each."""

    def __init__(self, name, turns, cost, log, line=None):
        self.name, self.left, self.cost, self.log = name, turns, cost, log
        self.line = line or Line()

    @property
    def is_quiet(self):
        return self.left <= 0

    def take_turn(self):
        self.log.append(self.name)
        self.left -= 1
        return self.cost, self.left > 0


async def until_idle(turns):
    while turns._order:  # noqa: ASYNC110 (there is no event: the loop is what is tested)
        await asyncio.sleep(0)


async def test_everyone_has_a_turn():
    """Those who ask have a turn, in the order in which they asked."""
    turns, log = ReadTurns(), []
    for name in "abc":
        turns.ask(Someone(name, 1, 1.0, log))
    await until_idle(turns)
    assert log == ["a", "b", "c"]


async def test_who_asks_twice_has_one_turn():
    """A turn is asked for once."""
    turns, log = ReadTurns(), []
    someone = Someone("a", 1, 1.0, log)
    turns.ask(someone)
    turns.ask(someone)
    await until_idle(turns)
    assert log == ["a"]


async def test_the_quiet_one_comes_first():
    """Whoever was quiet comes before a thousand who are new or flood, though they wait for longer."""
    turns, log = ReadTurns(), []
    quiet = Someone("quiet", 1, 1.0, log)
    turns.ask(quiet)
    await until_idle(turns)
    quiet.line.quiet_since_s -= 1.0
    for number in range(1000):
        turns.ask(Someone(f"flood {number}", 1000, 10.0, log))
    for _ in range(10):
        seen = len(log)
        quiet.left = 1
        turns.ask(quiet)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "quiet" in log[seen : seen + 4]
        quiet.line.quiet_since_s -= 1.0
    turns._order._heap.clear()


async def test_who_is_held_up_is_not_quiet():
    """Nothing is forgiven one that has more to look at, and only has to wait with it."""
    turns, log = ReadTurns(), []
    held, quiet = Someone("held", 1, 1.0, log), Someone("quiet", 1, 1.0, log)
    for someone in (held, quiet, Someone("other", 1, 40.0, log)):
        turns.ask(someone)
    held.take_turn = lambda: (log.append("held"), setattr(held, "left", 5), (30.0, False))[-1]
    await until_idle(turns)
    quiet.line.quiet_since_s -= 1.0
    log.clear()
    turns.ask(held)
    turns.ask(quiet)
    await until_idle(turns)
    assert log == ["quiet", "held"]


async def test_a_new_one_does_not_wait_for_all_to_have_had_as_much():
    """Who comes into a flood has a turn once those who wait for their next one have come as far."""
    turns, log = ReadTurns(), []
    for number in range(100):
        turns.ask(Someone(f"flood {number}", 1000, 10.0, log))
    while len(log) < 250:  # noqa: ASYNC110
        await asyncio.sleep(0)
    turns.ask(Someone("new", 1, 1.0, log))
    while "new" not in log:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert len(log) < 250 + 110
    turns._order._heap.clear()


async def test_the_loop_goes_on_between():
    """After so much work the loop has its turn with everything else."""
    turns, log = ReadTurns(), []
    turns.ask(Someone("a", 10_000, 1.0, log))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(log) <= 2 * RUN_COST
    turns._order._heap.clear()


async def test_a_client_has_one_share():
    """A thousand connections of one client have as many turns as the one connection of another."""
    turns, log = ReadTurns(), []
    many = Line()
    for number in range(1000):
        turns.ask(Someone(f"many {number}", 1000, 1.0, log, many))
    turns.ask(Someone("one", 50, 1.0, log))
    while log.count("one") < 50:  # noqa: ASYNC110 (there is no event: the loop is what is tested)
        await asyncio.sleep(0)
    assert len(log) <= 110
    turns._order._heap.clear()


def test_lines_go_with_their_connections():
    """A client's line is one as long as a connection holds it, and is not kept for those who are gone."""
    turns = ReadTurns()
    line = turns.line_of("a")
    assert turns.line_of("a") is line
    assert turns.line_of("b") is not line
    del line
    assert "a" not in turns._lines
