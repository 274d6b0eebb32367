"""bridge/__main__.py"""

import asyncio
import contextlib
import os
import re
import signal
import sys

import pytest

from bridge.protocol import encode_frame_request
from tests.bridge.helpers import ROOT, WAIT_S, connected, http, receive
from tests.fake_triton import fake_jpeg


@contextlib.asynccontextmanager
async def bridge_process(*arguments, start_new_session=False, **environment):
    """Run ``python -m bridge``; yields the process."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bridge", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "BRIDGE_GRPC_PORT": "0", **environment},
        cwd=ROOT,
        start_new_session=start_new_session,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def port_of(process):
    """Return the port in the line that the process prints when it listens."""
    line = (await asyncio.wait_for(process.stdout.readline(), WAIT_S)).decode()
    match = re.fullmatch(
        r"bridge: http://127\.0\.0\.1:(\d+)/, gRPC 127\.0\.0\.1:\d+ \(1 of 1 Tritons ready\)\n", line
    )
    assert match, line
    return int(match.group(1))


async def ended(process):
    """Return exit code, output and error output of a process that ends by itself."""
    output, errors = await asyncio.wait_for(process.communicate(), WAIT_S)
    return process.returncode, output.decode(), errors.decode()


async def test_sigterm_finishes_what_is_in_flight(triton):
    """After SIGTERM, requests in flight are answered, and the exit code is 0."""
    async with bridge_process("--port", "0", BRIDGE_UPSTREAMS=triton.address) as process:
        port = await port_of(process)
        async with connected(port) as websocket:
            for frame_id in range(3):
                await websocket.send(encode_frame_request("slow", frame_id))
            await triton.wait_for_calls("slow", 3)
            process.send_signal(signal.SIGTERM)
            await wait_until_refused(port)
            triton.release.set()
            for frame_id in range(3):
                assert await receive(websocket) == fake_jpeg("slow", frame_id)
        code, output, errors = await ended(process)
        assert (code, output) == (0, "")
        assert "Traceback" not in errors


async def test_sigint_ends_it_cleanly(triton):
    """Ctrl-C ends an idle bridge with 0 and without a traceback."""
    async with bridge_process("--upstreams", triton.address, "--port", "0") as process:
        assert (await http(await port_of(process), "/health"))[0] == 200
        process.send_signal(signal.SIGINT)
        code, _, errors = await ended(process)
        assert code == 0
        assert "Traceback" not in errors


async def test_a_second_signal_does_not_wait(triton):
    """A second SIGTERM ends the process at once, whatever is in flight."""
    async with bridge_process("--upstreams", triton.address, "--port", "0") as process:
        port = await port_of(process)
        async with connected(port) as websocket:
            await websocket.send(encode_frame_request("slow", 1))
            await triton.wait_for_calls("slow", 1)
            process.send_signal(signal.SIGTERM)
            await wait_until_refused(port)
            process.send_signal(signal.SIGTERM)
            assert (await ended(process))[0] == -signal.SIGTERM


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_several_workers(triton, number):
    """With workers, the line says how many listen; a signal, also to all of the group, ends all of them with 0."""
    arguments = ("--upstreams", triton.address, "--port", "0", "--workers", "2", "--log-level", "error")
    async with bridge_process(*arguments, start_new_session=True) as process:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        assert line.endswith(" (1 of 1 Tritons ready, 2 workers)\n")
        port = int(re.search(r":(\d+)/", line)[1])
        assert (await http(port, "/health"))[0] == 200
        os.killpg(process.pid, number)
        assert await ended(process) == (0, "", "")


@pytest.mark.slow
async def test_a_second_signal_ends_the_workers(triton):
    """A second SIGTERM ends all workers at once, whatever is in flight."""
    arguments = ("--upstreams", triton.address, "--port", "0", "--workers", "2", "--log-level", "error")
    async with bridge_process(*arguments) as process:
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        port = int(re.search(r":(\d+)/", line)[1])
        async with connected(port) as websocket:
            await websocket.send(encode_frame_request("slow", 1))
            await triton.wait_for_calls("slow", 1)
            process.send_signal(signal.SIGTERM)
            await wait_until_refused(port)
            process.send_signal(signal.SIGTERM)
            assert (await ended(process))[0] == -signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--port", "x"], {}, "--port: expected an integer from 0 to 65535, got 'x'"),
        ([], {"BRIDGE_POLICY": "y"}, "BRIDGE_POLICY: expected one of least_inflight, round_robin, got 'y'"),
    ],
)
async def test_bad_settings(arguments, environment, sentence):
    """A bad setting is one sentence and exit code 2."""
    async with bridge_process(*arguments, **environment) as process:
        assert await ended(process) == (2, "", f"bridge: {sentence}\n")


async def test_port_in_use(triton, bridge):
    """A port in use is one sentence and exit code 1."""
    arguments = ("--upstreams", triton.address, "--port", str(bridge.port), "--log-level", "error")
    async with bridge_process(*arguments) as process:
        sentence = f"expected to listen on port {bridge.port} of 127.0.0.1, got: address already in use"
        assert await ended(process) == (1, "", f"bridge: {sentence}\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--upstreams", "no-such-host.invalid:8001", "--resolve-timeout-s", "0"],
            r"expected to resolve the host of Triton at no-such-host\.invalid:8001, got: .+",
        ),
        (
            ["--upstreams", "127.0.0.1:1", "--require-ready-s", "0.1"],
            r"expected a Triton to be ready within 0\.1 s, got none at 127\.0\.0\.1:1",
        ),
    ],
)
async def test_tritons_that_are_not_there(arguments, sentence):
    """A host that DNS does not know, and a required Triton that is not ready, are one sentence and exit code 1."""
    async with bridge_process(*arguments, "--port", "0", "--log-level", "error") as process:
        code, output, errors = await ended(process)
    assert (code, output) == (1, "")
    assert re.fullmatch(f"bridge: {sentence}\n", errors)


async def wait_until_refused(port):
    """Return once nothing listens on ``port`` any more: the bridge has begun to stop."""

    async def connect_until_refused():
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            except ConnectionResetError:  # it stopped between the handshake's packets
                continue
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    await asyncio.wait_for(connect_until_refused(), WAIT_S)
