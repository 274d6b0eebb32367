"""benchmarks/simulation/triton.py, against closed forms"""

import asyncio
import math
from random import Random

import pytest
import simpy

from benchmarks.simulation.clock import simulated_time
from benchmarks.simulation.cores import Cores
from benchmarks.simulation.triton import Ask, Kind, Model, SimulatedClient, SimulatedTriton, TritonCosts
from bridge.errors import InferTimeout, UpstreamLost

MANY = 200_000


def erlang_c(servers, load):
    """Return the chance that a request has to wait, of an M/M/c queue with ``load`` in erlangs."""
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    return last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)


def mean_wait(rate, model_of, count=MANY // 10):
    """Return the mean wait of Poisson arrivals at a model, and how many were there on average, with their mean time."""
    env, random = simpy.Environment(), Random(11)
    model = model_of(env)
    times, inside = [], [0.0, 0.0, 0]

    def note(change):
        inside[0] += inside[2] * (env.now - inside[1])
        inside[1], inside[2] = env.now, inside[2] + change

    def one():
        begin = env.now
        note(1)
        yield model.put()
        note(-1)
        times.append(env.now - begin)

    def arrive():
        for _ in range(count):
            yield env.timeout(random.expovariate(rate))
            env.process(one())

    env.process(arrive())
    env.run()
    return model.waited_s / model.count, inside[0] / env.now, sum(times) / len(times), count / env.now


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_an_md1_queue(load):
    """One instance of one service time waits as Pollaczek and Khinchine say: load · S ÷ (2 · (1 - load))."""
    wait, *_ = mean_wait(load, lambda env: Model(env, Cores(env, 1), instances=1, batch=1, item_s=1.0))
    assert wait == pytest.approx(load / (2 * (1 - load)), rel=0.08)


def test_an_mmc_queue():
    """Three instances of exponential service times wait as Erlang says."""
    random = Random(5)
    times = [random.expovariate(1.0) for _ in range(20_000)]
    mean = sum(times) / len(times)
    spread = [time / mean for time in times]
    wait, *_ = mean_wait(
        2.4,
        lambda env: Model(
            env, Cores(env, 3), instances=3, batch=1, item_s=1.0, spread=spread, random=Random(3)
        ),
    )
    assert wait == pytest.approx(erlang_c(3, 2.4) / (3 - 2.4), rel=0.1)


def test_littles_law():
    """Requests inside are the rate times how long each is."""
    _, inside, time, rate = mean_wait(
        1.5, lambda env: Model(env, Cores(env, 2), instances=2, batch=1, item_s=1.0)
    )
    assert inside == pytest.approx(rate * time, rel=1e-6)


def test_batches():
    """What waits is taken together, up to the most; a batch takes what it takes and what each item adds."""
    env = simpy.Environment()
    model = Model(env, Cores(env, 1), instances=1, batch=4, item_s=0.1, fixed_s=1.0)
    ends = []
    for _ in range(6):
        model.put().callbacks.append(lambda _: ends.append(round(env.now, 6)))
    env.run()
    assert ends == [1.1] + [1.1 + 1.4] * 4 + [1.1 + 1.4 + 1.1]


def test_batches_at_their_limit():
    """Asked without pause, a model that batches gives batch ÷ (fixed + batch · item) a second."""
    _, _, _, rate = mean_wait(
        1e6, lambda env: Model(env, Cores(env, 1), instances=1, batch=16, item_s=0.01, fixed_s=0.1)
    )
    assert rate == pytest.approx(16 / 0.26, rel=0.01)


COSTS = TritonCosts(
    network_s=0.1, frame_core_s=0.02, hit_core_s=0.001, vector_s=0.01, cache_bytes=300, picture_bytes=100
)


@pytest.fixture
def loop():
    with simulated_time() as loop:
        yield loop


@pytest.fixture
def triton(loop):
    cores = Cores(loop.env, 2)
    return SimulatedTriton(loop, COSTS, cores, cores, Random(1))


async def timed(loop, triton, ask, timeout_s=5.0):
    before_s = loop.time()
    await triton.infer(ask, timeout_s)
    return round(loop.time() - before_s, 9)


def test_computed_once_then_remembered(loop, triton):
    """A frame is computed the first time, with what is around the network; then the cache answers."""

    async def ask():
        return [await timed(loop, triton, Ask("a", frame_id=7)) for _ in range(2)]

    assert loop.run(ask(), 10) == [0.12, 0.001]
    assert (triton.hits, triton.misses) == (1, 1)


def test_the_least_recently_used_goes_first(loop, triton):
    """Three pictures fit: asked for in a circle of four, none is there when it is wanted again."""

    async def ask():
        for turn in range(12):
            await triton.infer(Ask("a", frame_id=turn % 4), 5)

    loop.run(ask(), 10)
    assert triton.hits == 0


def test_live_requests_are_not_cached(loop, triton):
    """A vector takes its time, and the same picture is computed anew."""

    async def ask():
        kinds = (Kind.VECTORS, Kind.PICTURE, Kind.PICTURE)
        return [await timed(loop, triton, Ask("a", kind, count=3)) for kind in kinds]

    assert loop.run(ask(), 10) == [0.03, 0.1, 0.1]


def test_a_death_is_noticed_by_all_in_flight(loop, triton):
    """Those in flight and those that come later are lost; after its return the cache is empty."""

    async def ask():
        await triton.infer(Ask("a"), 5)
        calls = [asyncio.ensure_future(triton.infer(Ask("a", frame_id=i), 5)) for i in range(1, 4)]
        await asyncio.sleep(0.01)
        triton.kill()
        lost = await asyncio.gather(*calls, triton.infer(Ask("a"), 5), return_exceptions=True)
        triton.start()
        return [type(one) for one in lost], await timed(loop, triton, Ask("a"))

    assert loop.run(ask(), 10) == ([UpstreamLost] * 4, 0.12)


def test_a_standstill_answers_nothing(loop, triton):
    """A stopped Triton leaves calls to their deadlines and probes without an answer, and goes on afterwards."""
    client = SimulatedClient("here", triton, 0.0)

    async def ask():
        triton.stop()
        with pytest.raises(InferTimeout):
            await triton.infer(Ask("a"), 1.0)
        silent = await client.is_server_ready(0.5)
        triton.resume()
        return (
            silent,
            await client.is_server_ready(0.5),
            await client.infer(Ask("a", frame_id=1), 5) is not None,
        )

    assert loop.run(ask(), 10) == (None, True, True)


def test_names_for_the_balancer():
    """Kinds of calls have names of their own: the balancer keeps what each of them takes."""
    assert len({Ask("a", kind).model_name for kind in Kind}) == len(Kind)
