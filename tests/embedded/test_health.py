"""embedded/health.py, with a real Triton"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded import health, serve, watch
from embedded.health import Unhealthy, check
from tests.embedded.processes import STUB, find_family
from tests.embedded.test_server import config_for


def run(port: int) -> tuple[int, str]:
    """Run the check as a container does; return its exit code and its sentence."""
    command = [sys.executable, "-I", "-S", health.__file__, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.strip()


async def test_small_models_are_asked(
    add_avatar: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is well until a process dies that nobody replaces; Triton itself never says so."""
    monkeypatch.setattr(watch, "LOOK_INTERVAL_S", 3600.0)
    async with serve(config_for(add_avatar("demo"))) as (server,):
        assert await asyncio.to_thread(run, server.http_port) == (0, "")
        await asyncio.to_thread(check, server.http_port)
        for process in find_family(f"--grpc-port={server.grpc_port}").members:
            if STUB in process.command and "/demo_frames/" in process.command:
                process.kill()
        code, sentence = await asyncio.to_thread(run, server.http_port)
        assert code == 1
        assert sentence.startswith("error: models/demo_frames/infer: expected status 200, got 500 ")
        assert "Stub process 'demo_frames_0_0' is not healthy" in sentence


async def test_a_triton_that_answers_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is stopped is no healthy one, after seconds."""
    monkeypatch.setattr(health, "TIMEOUT_S", 0.2)
    async with serve(config_for(repository)) as (server,):
        tritonserver = find_family(f"--grpc-port={server.grpc_port}").member("tritonserver")
        tritonserver.kill(signal.SIGSTOP)
        with pytest.raises(Unhealthy, match=r"^expected an answer of Triton on port \d+, got: timed out$"):
            await asyncio.to_thread(check, server.http_port)
        tritonserver.kill(signal.SIGCONT)
        await asyncio.to_thread(check, server.http_port)


def test_no_triton() -> None:
    """Where nothing listens, the sentence says so."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    code, sentence = run(port)
    assert code == 1
    assert (
        sentence == f"error: expected an answer of Triton on port {port}, got: [Errno 111] Connection refused"
    )
