"""bridge/drain.py, beside a real bridge"""

import asyncio
import subprocess
import sys
from types import SimpleNamespace

import pytest

from bridge import drain
from bridge.drain import open_sessions
from bridge.server import serve
from bridge.workers.team import Team
from tests.bridge.helpers import WAIT_S, config_for


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(drain, "LEAST_S", 0.1)
    monkeypatch.setattr(drain, "INTERVAL_S", 0.01)


def run(monkeypatch, port, most_s):
    monkeypatch.setattr(sys, "argv", ["drain.py", str(port), str(most_s)])
    return drain.main()


async def test_it_waits_for_live_sessions(triton, monkeypatch, quick):
    """While a session is open it waits, and ends soon after the last one has."""
    async with serve(config_for(triton, metrics_port=0)) as bridge:
        sessions = bridge._metrics.live.sessions
        sessions.inc()
        assert await asyncio.to_thread(open_sessions, bridge.metrics_port) == 1
        waiting = asyncio.create_task(asyncio.to_thread(run, monkeypatch, bridge.metrics_port, 60))
        done, _ = await asyncio.wait({waiting}, timeout=0.5)
        assert not done
        sessions.dec()
        assert await asyncio.wait_for(waiting, WAIT_S) == 0


async def test_sessions_of_all_workers_count(triton, tmp_path):
    """Of several workers, whoever is asked tells of all."""
    teams = [Team(index, [0.0] * 2, [0.0] * 2, tmp_path) for index in range(2)]
    config = config_for(triton, metrics_port=0)
    async with serve(config, teams[0]) as one, serve(config, teams[1]) as other:
        one._metrics.live.sessions.inc(2)
        other._metrics.live.sessions.inc(3)
        assert await asyncio.to_thread(open_sessions, one.metrics_port) == 5


async def test_it_waits_no_longer_than_it_may(triton, monkeypatch, quick):
    """A session that does not end is not waited for without end."""
    async with serve(config_for(triton, metrics_port=0)) as bridge:
        bridge._metrics.live.sessions.inc()
        running = asyncio.to_thread(run, monkeypatch, bridge.metrics_port, 0.2)
        assert await asyncio.wait_for(running, WAIT_S) == 0


async def test_it_gives_its_clients_time_to_go(triton, monkeypatch, quick):
    """With nobody there it still waits a moment: whoever leads clients here may not know yet."""
    slept = []
    clock = iter([0.0, 0.0, 0.05, 0.2])
    monkeypatch.setattr(drain, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=slept.append))
    async with serve(config_for(triton, metrics_port=0)) as bridge:
        assert await asyncio.to_thread(run, monkeypatch, bridge.metrics_port, 60) == 0
    assert slept == [0.01, 0.01]


def test_a_bridge_that_is_gone():
    """It is one sentence and exit code 1, at once, by nothing but the file."""
    command = [sys.executable, "-I", "-S", drain.__file__, "1", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: expected metrics of the bridge on port 1, got: ")


async def test_another_answer(triton):
    """What has no count of live sessions is not the bridge's metrics."""
    async with serve(config_for(triton, metrics_port=0)) as bridge:
        with pytest.raises(OSError, match="404"):
            await asyncio.to_thread(open_sessions, bridge.port)
