"""bridge/limit.py"""

import pytest

from bridge.limit import FIRST, LEAST, MOST, Limit


class Server:
    """A Triton that computes ``at_once`` frames at a time in ``alone_s`` each, and a limit before it that is filled."""

    def __init__(self, monkeypatch, alone_s, at_once):
        self.alone_s, self.at_once = alone_s, at_once
        self.now_s = 1000.0
        monkeypatch.setattr("bridge.limit.time.monotonic", lambda: self.now_s)
        self.limit = Limit()

    @property
    def latency_s(self):
        return self.alone_s * max(1.0, self.limit.calls / self.at_once)

    def fill(self, duration_s, kind="echo"):
        end_s = self.now_s + duration_s
        while self.now_s < end_s:
            calls = self.limit.calls
            assert self.limit.has_room(calls - 1)
            assert not self.limit.has_room(calls)
            self.now_s += self.latency_s / calls
            self.limit.note(kind, self.latency_s)


@pytest.fixture
def server(monkeypatch):
    return lambda alone_s, at_once: Server(monkeypatch, alone_s, at_once)


@pytest.mark.parametrize(("alone_s", "at_once"), [(0.1, 4), (0.05, 8), (0.2, 16), (0.04, 64)])
def test_as_many_as_keep_it_busy(server, alone_s, at_once):
    """Whatever a server can do at once, it is kept busy, and calls take at most twice as long as alone."""
    server = server(alone_s, at_once)
    server.fill(60.0)
    assert at_once <= server.limit.calls <= 2 * at_once
    assert server.limit.alone_s("echo") == pytest.approx(alone_s)


def test_a_small_server(server):
    """One that computes one at a time has two, so that the next is there when it is done."""
    server = server(0.1, 1)
    server.fill(60.0)
    assert LEAST <= server.limit.calls <= LEAST + 1


def test_quick_answers_are_not_held_back(server):
    """Where calls take milliseconds, the limit is out of the way."""
    server = server(0.02, 600)
    server.fill(0.5)
    assert server.limit.calls >= 32
    server.fill(5.0)
    assert server.limit.calls == MOST


def test_a_server_that_became_slower(server):
    """When its cache is lost, and every call takes a hundred times as long, that is learnt."""
    server = server(0.002, 8)
    server.fill(3.0)
    server.alone_s = 0.1
    server.fill(60.0)
    assert server.limit.alone_s("echo") == pytest.approx(0.1)
    assert 8 <= server.limit.calls <= 16
    server.alone_s = 0.002
    server.fill(3.0)
    assert server.limit.alone_s("echo") == pytest.approx(0.002, rel=1.0)


def test_slow_ones_among_quick_ones(server):
    """Some frames that are painted among many from the cache do not shrink the limit."""
    server = server(0.001, 8)
    server.fill(10.0)
    before = server.limit.calls
    for number in range(4000):
        server.now_s += 0.002
        assert not server.limit.has_room(server.limit.calls)
        server.limit.note("echo", 0.1 if number % 4 == 0 else 0.001)
    assert server.limit.calls >= before


def test_it_grows_only_where_it_is_reached(server):
    """A limit that nobody reaches stays."""
    server = server(0.01, 8)
    for _ in range(1000):
        server.now_s += 0.01
        assert server.limit.has_room(1)
        server.limit.note("echo", 0.01)
    assert server.limit.calls == FIRST


def test_kinds_are_apart(server):
    """A kind of call that takes long does not make a quick one late; unknown ones take no time."""
    server = server(0.1, 8)
    server.fill(10.0, "slow")
    server.alone_s = 0.05
    server.fill(10.0, "quick")
    assert server.limit.alone_s("slow") == pytest.approx(0.1)
    assert server.limit.alone_s("quick") == pytest.approx(0.05)
    assert server.limit.alone_s("unknown") == 0.0


def test_a_trial_is_of_calls_that_are_alone(server):
    """What was under way when a trial began says nothing of what a call takes alone."""
    server = server(0.1, 4)
    for _ in range(8):
        server.limit.has_room(FIRST)
        server.now_s += 0.05
        server.limit.note("echo", 0.4)
    assert server.limit.calls == 1
    for _ in range(4):
        assert not server.limit.has_room(1)
        server.limit.note("echo", 0.4)
    for _ in range(3):
        assert server.limit.calls == 1
        assert server.limit.has_room(0)
        server.limit.note("echo", 0.1)
    assert server.limit.calls == FIRST
    assert server.limit.alone_s("echo") == 0.1


def test_a_full_queue(server):
    """A Triton whose own queue is full gets less, and one at least."""
    server = server(0.1, 4)
    server.limit.note_refusal()
    assert server.limit.calls == 3
    for _ in range(10):
        server.limit.note_refusal()
    assert server.limit.calls == LEAST
