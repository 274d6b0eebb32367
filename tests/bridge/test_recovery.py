"""bridge/recovery.py"""

import asyncio
import contextlib

import pytest

from bridge import recovery
from bridge.errors import BridgeError, ImportFailed, InternalError
from bridge.recovery import Recovery
from tests.bridge.helpers import until

DEAD = InternalError(
    "INTERNAL from Triton at a:1 for 'demo': in ensemble 'demo', Stub process 'demo_unet_0_1' is not healthy."
)


class Client:
    """What a recovery asks of Triton."""

    def __init__(self):
        self.asked = []
        self.unloadable = False

    async def unload_model(self, name, timeout_s):
        self.asked.append(f"unload {name}")

    async def load_model(self, name, timeout_s):
        self.asked.append(f"load {name}")
        if self.unloadable:
            raise ImportFailed(name, "no such file")


class Trials:
    """A call whose outcomes a test sets: answers when it is None, hangs when it is an event."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.count = 0

    async def __call__(self, client):
        self.count += 1
        if isinstance(self.outcome, BridgeError):
            raise self.outcome
        if self.outcome is not None:
            await self.outcome.wait()


@contextlib.asynccontextmanager
async def running(client, may_reload=True):
    subject = Recovery("a:1", lambda: client, may_reload)
    task = asyncio.create_task(subject.run())
    try:
        yield subject
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()


@pytest.fixture
def quick(monkeypatch):
    """Pauses of milliseconds."""
    for name in ("FIRST_PAUSE_S", "CALL_LIMIT_S"):
        monkeypatch.setattr(recovery, name, 0.01)
    monkeypatch.setattr(recovery, "PATIENCE_S", 0.0)


async def test_three_failures_take_it_out(quick):
    """Three calls that others answered take a model out; three that succeed in a row bring it back."""
    trials = Trials(InternalError("it hurts"))
    async with running(Client()) as subject:
        subject.blame("demo", trials)
        subject.blame("demo", trials)
        assert not subject.is_failing("demo")
        subject.blame("demo", trials)
        assert (subject.is_failing("demo"), subject.is_failing("other")) == (True, False)
        assert subject.failing == ["demo"]
        await until(lambda: trials.count > 1)
        assert subject.is_failing("demo")
        trials.outcome, failed = None, trials.count
        await until(lambda: not subject.is_failing("demo"))
        assert trials.count == failed + 3
        assert subject.failing == []


async def test_a_rare_failure_is_forgiven():
    """One failure in twenty answers takes nothing out, one in two does: half the processes of a model are dead."""
    subject = Recovery("a:1", Client, may_reload=False)
    for number in range(400):
        if number % 20:
            subject.note_answer("rare")
        else:
            subject.blame("rare", Trials(None))
    assert not subject.is_failing("rare")
    for _ in range(4):
        subject.blame("often", Trials(None))
        subject.note_answer("often")
    assert subject.is_failing("often")


async def test_a_trial_that_hangs_is_a_failure(quick):
    """A model that answers nothing stays out until it answers within a limit."""
    hanging = asyncio.Event()
    trials = Trials(hanging)
    async with running(Client()) as subject:
        for _ in range(3):
            subject.blame("demo", trials)
        await until(lambda: trials.count > 1)
        assert subject.is_failing("demo")
        hanging.set()
        await until(lambda: not subject.is_failing("demo"))


async def test_a_relapse_waits_longer(quick, monkeypatch):
    """Whoever fails again soon waits twice as long as before, up to a limit."""
    pauses = []
    trials = Trials(None)
    async with running(Client()) as subject:
        for _ in range(3):
            for _ in range(3):
                subject.blame("demo", trials)
            pauses.append(subject._failing["demo"].pause_s)
            await until(lambda: not subject.is_failing("demo"))
        monkeypatch.setattr(recovery, "RELAPSE_S", 0.0)
        for _ in range(3):
            subject.blame("demo", trials)
        pauses.append(subject._failing["demo"].pause_s)
    assert pauses == [0.01, 0.02, 0.04, 0.01]


async def test_a_dead_process_is_loaded_anew(quick):
    """A model whose process Triton calls dead is unloaded and loaded, and what failed of it is tried at once."""
    client, trials = Client(), Trials(DEAD)
    async with running(client) as subject:
        for _ in range(3):
            subject.blame("demo", trials)
        await until(lambda: client.asked)
        trials.outcome = None
        await until(lambda: not subject.failing)
    assert client.asked == ["unload demo_unet", "load demo_unet"]


async def test_not_again_and_again(quick):
    """A model that dies again, or cannot be loaded, is left alone for a while."""
    client = Client()
    client.unloadable = True
    async with running(client) as subject:
        for _ in range(3):
            subject.note_error(DEAD)
            await asyncio.sleep(0.01)
        assert subject.failing == ["demo_unet"]
    assert client.asked == ["unload demo_unet", "load demo_unet"]


async def test_only_with_the_secret(quick):
    """A bridge without the secret only tells what is dead."""
    client = Client()
    async with running(client, may_reload=False) as subject:
        subject.note_error(DEAD)
        await asyncio.sleep(0.01)
        assert subject.failing == ["demo_unet"]
    assert client.asked == []


async def test_others_may_mend_it_first():
    """A process that was just found dead is not loaded anew yet: whoever runs Triton may do that."""
    client = Client()
    async with running(client) as subject:
        subject.note_error(DEAD)
        subject.note_error(DEAD)
        await asyncio.sleep(0.01)
    assert client.asked == []


def test_broken():
    """Five failures in a row are an upstream that does not work; one answer is one that does."""
    subject = Recovery("a:1", Client, may_reload=False)
    for _ in range(4):
        subject.note_error(InternalError("it hurts"))
    assert not subject.is_broken
    subject.note_error(InternalError("it hurts"))
    assert subject.is_broken
    subject.note_answer("demo")
    assert not subject.is_broken


def test_broken_is_not_for_ever(monkeypatch):
    """An upstream that nobody has asked for ten seconds may work again."""
    subject = Recovery("a:1", Client, may_reload=False)
    for _ in range(5):
        subject.note_error(InternalError("it hurts"))
    monkeypatch.setattr(recovery, "LONG_AGO_S", 0.0)
    assert not subject.is_broken
