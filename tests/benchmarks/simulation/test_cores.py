"""benchmarks/simulation/cores.py"""

import pytest
import simpy

from benchmarks.simulation.cores import Cores, Thread


@pytest.fixture
def env():
    return simpy.Environment()


def ends(env, events):
    """Return when each event happened, in order of the events."""
    times = {}
    for number, event in enumerate(events):
        event.callbacks.append(lambda _, number=number: times.setdefault(number, env.now))
    env.run()
    return [times.get(number) for number in range(len(events))]


def test_a_core_each(env):
    """Where there are cores enough, jobs take what they need, a wide one its part of it."""
    cores = Cores(env, 4)
    assert ends(env, [cores.work(1.0), cores.work(2.0), cores.work(2.0, width=2)]) == [1.0, 2.0, 1.0]
    assert cores.used_core_s == pytest.approx(5.0)


def test_shared_in_parts(env):
    """Three jobs of a second on one core: the shortest of 1, 2 and 3 ends at 3, then two share, then one is alone."""
    cores = Cores(env, 1)
    assert ends(env, [cores.work(1.0), cores.work(2.0), cores.work(3.0)]) == pytest.approx([3.0, 5.0, 6.0])


def test_shared_by_threads(env):
    """A job of two threads gets two of three parts of two cores."""
    cores = Cores(env, 2)
    wide, narrow = cores.work(2.0, width=2), cores.work(1.0)
    assert ends(env, [wide, narrow]) == pytest.approx([1.5, 1.5])


def test_one_that_comes_later(env):
    """A job that comes in the middle slows the first one from then on."""
    cores, events = Cores(env, 1), []

    def late():
        yield env.timeout(1)
        events.append(cores.work(1.0))

    first = cores.work(2.0)
    env.process(late())
    assert ends(env, [first]) == pytest.approx([3.0])
    assert events[0].processed


def test_stopped_and_killed(env):
    """Stopped cores go on where they stood; the jobs of a killed machine never end."""
    cores, killed = Cores(env, 1), Cores(env, 1)
    job, lost = cores.work(2.0), killed.work(2.0)

    def fault():
        yield env.timeout(1)
        cores.stop()
        killed.clear()
        yield env.timeout(10)
        cores.resume()

    env.process(fault())
    assert ends(env, [job, lost]) == [12.0, None]


def test_a_thread_runs_one_job_after_another(env):
    """On idle cores, too."""
    thread = Thread(env, Cores(env, 8))
    jobs = [thread.work(1.0) for _ in range(3)]
    assert thread.queued == 2
    assert ends(env, jobs) == [1.0, 2.0, 3.0]
