"""bridge/front/turns.py"""

import asyncio

from bridge.front.turns import RUN_COST, Taker, Turns


class Someone(Taker):
    """Takes turns of a cost, and notes each."""

    def __init__(self, name, turns, cost, log):
        self.name, self.left, self.cost, self.log = name, turns, cost, log

    def take_turn(self):
        self.log.append(self.name)
        self.left -= 1
        return self.cost, self.left > 0


async def until_idle(turns):
    while turns._waiting:  # noqa: ASYNC110 (there is no event: the loop is what is tested)
        await asyncio.sleep(0)


async def test_everyone_has_a_turn():
    """Those who ask have a turn, in the order in which they asked."""
    turns, log = Turns(), []
    for name in "abc":
        turns.ask(Someone(name, 1, 1.0, log))
    await until_idle(turns)
    assert log == ["a", "b", "c"]


async def test_who_asks_twice_has_one_turn():
    """A turn is asked for once."""
    turns, log = Turns(), []
    someone = Someone("a", 1, 1.0, log)
    turns.ask(someone)
    turns.ask(someone)
    await until_idle(turns)
    assert log == ["a"]


async def test_the_quiet_one_comes_first():
    """Whoever was quiet comes before a thousand who flood, though they wait for longer."""
    turns, log = Turns(), []
    quiet = Someone("quiet", 1, 1.0, log)
    turns.ask(quiet)
    await until_idle(turns)
    for number in range(1000):
        turns.ask(Someone(f"flood {number}", 1000, 10.0, log))
    for _ in range(10):
        await asyncio.sleep(0)
    seen = len(log)
    quiet.left = 1
    turns.ask(quiet)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "quiet" in log[seen : seen + 2]
    turns._waiting.clear()


async def test_the_loop_goes_on_between():
    """After so much work the loop has its turn with everything else."""
    turns, log = Turns(), []
    turns.ask(Someone("a", 10_000, 1.0, log))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(log) <= 2 * RUN_COST
    turns._waiting.clear()
