"""bridge/workers/worker.py, as a process whose supervisor is this test"""

import asyncio
import multiprocessing

import pytest

from bridge.protocol import encode_frame_request
from bridge.workers.ports import held_ports
from bridge.workers.team import Team
from bridge.workers.worker import Listening, work
from tests.bridge.helpers import WAIT_S, config_for, connected, receive
from tests.fake_triton import fake_jpeg

pytestmark = pytest.mark.slow

START_S = 60.0


@pytest.fixture
async def worker(triton, tmp_path):
    """A worker that listens: its port, process and pipe."""
    context = multiprocessing.get_context("spawn")
    team = Team(0, context.RawArray("d", 1), context.RawArray("d", 1), tmp_path)
    with held_ports(config_for(triton)) as config:
        ours, its = context.Pipe()
        process = context.Process(target=work, args=(config, team, its))
        await asyncio.to_thread(process.start)
        its.close()
        assert await asyncio.to_thread(ours.poll, START_S)
        listening = ours.recv()
        assert listening == Listening(f"http://127.0.0.1:{config.port}/", None, 1, 1)
        yield config.port, process, ours
        process.kill()
        process.join()


async def ended(process):
    """Return the exit code of a process that ends by itself."""
    await asyncio.to_thread(process.join, WAIT_S)
    return process.exitcode


async def test_a_supervisor_that_is_gone(worker, triton):
    """A worker whose supervisor was killed finishes what it has, and ends."""
    port, process, pipe = worker
    async with connected(port) as websocket:
        await websocket.send(encode_frame_request("slow", 3))
        await triton.wait_for_calls("slow", 1)
        pipe.close()
        triton.release.set()
        assert await receive(websocket) == fake_jpeg("slow", 3)
    assert await ended(process) == 0


async def test_a_second_word_does_not_wait(worker, triton):
    """Told twice, it ends at once, whatever is in flight."""
    port, process, pipe = worker
    async with connected(port) as websocket:
        await websocket.send(encode_frame_request("slow", 3))
        await triton.wait_for_calls("slow", 1)
        pipe.send_bytes(b"")  # four bytes on the wire: more than one word
        assert await ended(process) == 1


async def test_signals_are_the_supervisors(worker):
    """A signal to the whole group of processes does not end a worker: its supervisor says when."""
    _, process, pipe = worker
    process.terminate()
    await asyncio.to_thread(process.join, 0.2)
    assert process.exitcode is None
    pipe.close()
    assert await ended(process) == 0
