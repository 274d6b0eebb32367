"""bridge/workers/siblings.py"""

import asyncio
import contextlib

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridge.workers import siblings
from bridge.workers.siblings import Siblings, joined
from bridge.workers.team import Team


def exposition(count):
    """Return metrics of which a counter, with a label that needs quoting, has this value."""
    registry = CollectorRegistry()
    counter = Counter("frames", "Frames", ["model"], registry=registry)
    counter.labels('a"b\n').inc(count)
    Histogram("took_seconds", "Time", buckets=(0.1, 1.0), registry=registry).observe(count / 10)
    return generate_latest(registry)


def samples(text):
    """Return the values of an exposition by name and labels, but for when they were made."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_joined():
    """Each worker's samples are there, with its number; names, types and other labels are as they were."""
    text = joined({0: exposition(3), 2: exposition(5)})
    values = samples(text)
    assert values["frames_total", ("model", 'a"b\n'), ("worker", "0")] == 3
    assert values["frames_total", ("model", 'a"b\n'), ("worker", "2")] == 5
    assert values["took_seconds_bucket", ("le", "1.0"), ("worker", "2")] == 1
    assert text.count(b"# TYPE frames_total counter") == 1
    assert text.count(b"# TYPE took_seconds histogram") == 1
    assert len(values) == 2 * len(samples(exposition(1)))


@contextlib.asynccontextmanager
async def listening(folder, count):
    """Have so many siblings, each of which counted as many frames as its number."""
    teams = [Team(index, [0.0] * count, [0.0] * count, folder) for index in range(count)]
    all_of_them = [Siblings(team, lambda index=team.index: exposition(index)) for team in teams]
    for sibling in all_of_them:
        await sibling.start()
    try:
        yield all_of_them
    finally:
        for sibling in all_of_them:
            await sibling.stop()


async def test_whoever_is_asked_tells_of_all(tmp_path):
    """The answer is the same whichever worker is asked."""
    async with listening(tmp_path, 3) as workers:
        answers = [samples(await worker.exposition()) for worker in workers]
    assert answers[0] == answers[1] == answers[2]
    assert {dict(key[1:])["worker"] for key in answers[0]} == {"0", "1", "2"}


async def test_one_that_died_is_left_out(tmp_path):
    """One that is gone, or never was there, is left out, and its successor takes its place."""
    async with listening(tmp_path, 2) as workers:
        await workers[1].stop()
        values = samples(await workers[0].exposition())
        assert {dict(key[1:])["worker"] for key in values} == {"0"}
        await workers[1].start()
        assert len(samples(await workers[0].exposition())) == 2 * len(values)


async def test_one_that_hangs_is_left_out(tmp_path, monkeypatch):
    """One that does not answer in time is left out."""
    monkeypatch.setattr(siblings, "ANSWER_TIMEOUT_S", 0.05)
    asked = asyncio.Event()

    async def hang(reader, writer):
        asked.set()
        await reader.read()
        writer.close()

    async with listening(tmp_path, 2) as workers:
        await workers[1].stop()
        team = Team(1, [0.0] * 2, [0.0] * 2, tmp_path)
        team.socket(1).unlink(missing_ok=True)
        server = await asyncio.start_unix_server(hang, team.socket(1))
        values = samples(await workers[0].exposition())
        server.close()
    assert asked.is_set()
    assert {dict(key[1:])["worker"] for key in values} == {"0"}


async def test_alone(tmp_path):
    """Without others, metrics are as they were: no label is added, nothing listens."""
    alone = Siblings(Team(), lambda: exposition(7))
    await alone.start()
    assert samples(await alone.exposition()) == samples(exposition(7))
    await alone.stop()


async def test_one_that_leaves_in_the_middle(tmp_path):
    """Whoever asks and is gone before the answer does no harm."""
    async with listening(tmp_path, 2) as workers:
        _, writer = await asyncio.open_unix_connection(Team(0, [0.0], [0.0], tmp_path).socket(0))
        writer.transport.abort()
        assert len(samples(await workers[1].exposition()))


@pytest.mark.parametrize("text", [b"", b"# HELP a b\n"])
def test_nothing_to_join(text):
    """Nothing gives nothing."""
    assert samples(joined({0: text})) == {}
