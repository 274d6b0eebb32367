"""bridge/workers/supervisor.py, with real processes"""

import asyncio
import os
import signal
from collections import Counter

import grpc
import pytest

from bridge.errors import ListenError, NoneReadyInTime
from bridge.protocol import encode_frame_request
from bridge.workers.supervisor import supervised
from tests.bridge.helpers import WAIT_S, config_for, connected, http, receive, until
from tests.fake_triton import FakeTriton, fake_jpeg

pytestmark = pytest.mark.slow

START_S = 60.0


async def started(supervisor):
    """Wait until all workers listen; return the port."""
    await asyncio.wait_for(supervisor.listening(), START_S)
    return supervisor.config.port


async def workers_of(port):
    """Return how many frames each worker has answered, as the metrics tell."""
    text = (await http(port, "/metrics"))[2].decode()
    lines = [line for line in text.splitlines() if line.startswith("lipsync_bridge_frames_total")]
    return {line.split('worker="')[1].split('"')[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_they_share_a_port(triton):
    """Connections to one port are spread over the workers; the metrics of all are told by whoever is asked."""
    async with supervised(config_for(triton, workers=2)) as supervisor:
        port = await started(supervisor)
        for frame_id in range(40):
            status, _, jpeg = await http(port, f"/frames/echo/{frame_id}.jpg")
            assert (status, jpeg) == (200, fake_jpeg("echo", frame_id))
        answered = await workers_of(port)
        assert set(answered) == {"0", "1"}
        assert sum(answered.values()) == 40
        seen = Counter([tuple(sorted((await workers_of(port)).items())) for _ in range(10)])
        assert len(seen) == 1


async def test_grpc_and_metrics_share_theirs(triton):
    """So do the gRPC service and the metrics' own port."""
    async with supervised(config_for(triton, workers=2, grpc_port=0, metrics_port=0)) as supervisor:
        await started(supervisor)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{supervisor.config.grpc_port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), WAIT_S)
        for _ in range(4):
            text = (await http(supervisor.config.metrics_port, "/metrics"))[2].decode()
            assert 'lipsync_bridge_connections{worker="0"}' in text
            assert 'lipsync_bridge_connections{worker="1"}' in text


async def test_one_that_dies_is_begun_anew(triton, caplog):
    """After SIGKILL of one, the others go on, and a new one takes its place."""
    async with supervised(config_for(triton, workers=2)) as supervisor:
        port = await started(supervisor)
        dead, alive = supervisor.pids
        os.kill(dead, signal.SIGKILL)
        await until(lambda: len(supervisor.pids) == 2 and dead not in supervisor.pids)
        assert alive in supervisor.pids
        deadline_s = asyncio.get_running_loop().time() + START_S
        while '{worker="0"}' not in (await http(port, "/metrics"))[2].decode():
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)
    assert caplog.messages == [
        "worker 0: expected a worker to go on, got its end (exit code -9); another one begins in 0.1 s"
    ]


async def test_what_is_in_flight_is_answered(triton):
    """At the end of the block, workers accept no more, and answer what they have."""
    async with supervised(config_for(triton, workers=2)) as supervisor:
        port = await started(supervisor)
        async with connected(port) as websocket:
            await websocket.send(encode_frame_request("slow", 7))
            await triton.wait_for_calls("slow", 1)
            stopping = asyncio.create_task(supervisor.stop())
            await asyncio.sleep(0)
            triton.release.set()
            assert await receive(websocket) == fake_jpeg("slow", 7)
            await websocket.wait_closed()
        await stopping
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_start_that_fails():
    """What keeps a worker from starting is raised as the bridge itself would raise it."""
    config = config_for("127.0.0.1:1", workers=2, require_ready_s=0.05)
    async with supervised(config) as supervisor:
        with pytest.raises(NoneReadyInTime) as caught:
            await asyncio.wait_for(supervisor.listening(), START_S)
    assert str(caught.value) == "expected a Triton to be ready within 0.05 s, got none at 127.0.0.1:1"


async def test_a_port_in_use(bridge):
    """A port that is in use is found before any worker begins."""
    async with FakeTriton() as triton:
        config = config_for(triton, workers=2)
        with pytest.raises(ListenError):
            async with supervised(type(config)(**{**vars(config), "port": bridge.port})):
                pass
