"""embedded/ports.py"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import ports
from embedded.command import Server
from embedded.config import EmbeddedConfig
from embedded.errors import BadSetting, PortInUse
from embedded.ports import claimed_servers
from tests.embedded.conftest import ROOT
from tests.embedded.processes import WAIT_S

REPOSITORY = ROOT / "model_repository"
CLAIM = """
import asyncio, sys
from pathlib import Path
from embedded import EmbeddedConfig
from embedded.ports import claimed_servers
async def claim():
    config = EmbeddedConfig(model_repository=Path(sys.argv[1]), grpc_port=int(sys.argv[2]))
    async with claimed_servers(config):
        print("claimed", flush=True)
        await asyncio.Event().wait()
asyncio.run(claim())
"""
LISTEN = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, sys.argv[1].encode())
with socket.create_server(("127.0.0.1", int(sys.argv[2]))):
    print("listens", flush=True)
    sys.stdin.readline()
"""


def config(**settings: object) -> EmbeddedConfig:
    return EmbeddedConfig(model_repository=REPOSITORY, **settings)  # type: ignore[arg-type]


def this_process() -> str:
    """How this process is named to whoever finds a port in its hands."""
    name = Path("/proc/self/comm").read_text().strip()
    module = re.match(r"[^\0]*\0-m\0([\w.]+)", Path("/proc/self/cmdline").read_text())
    return f"{name} -m {module[1]} (process {os.getpid()})" if module else f"{name} (process {os.getpid()})"


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def listening(name: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a process of a name that listens on a port until it is told to end."""
    command = [sys.executable, "-c", LISTEN, name, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


async def claimed_ports(claims: contextlib.AsyncExitStack, **settings: object) -> set[int]:
    servers: list[Server] = await claims.enter_async_context(claimed_servers(config(**settings)))
    return {port for one in servers for port in (one.http_port, one.grpc_port, one.metrics_port)}


async def refusal(**settings: object) -> str:
    """Claim ports that cannot be had, and return the sentence that says why."""
    with pytest.raises(PortInUse) as caught:
        async with claimed_servers(config(**settings)):
            pass
    return str(caught.value)


async def test_free_ports_are_distinct() -> None:
    """Twenty processes on free ports get sixty different ones, another start others; none is 0."""
    async with contextlib.AsyncExitStack() as claims:
        first = await claimed_ports(claims, http_port=0, processes=20)
        second = await claimed_ports(claims, http_port=0, processes=20)
    assert len(first | second) == 120
    assert 0 not in first | second


@pytest.mark.parametrize("key", ["http_port", "grpc_port", "metrics_port"])
async def test_port_in_use(key: str) -> None:
    """A port that something listens on is named before Triton starts, with its process, whichever of the three."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        sentence = await refusal(**{key: port})
    assert sentence == f"expected 127.0.0.1:{port} to be free for Triton, but {this_process()} has it already"


async def test_two_starts_at_once(free_port: int) -> None:
    """A port on which nobody listens yet is another start's from its beginning to its end; then it is free."""
    taken = f"expected 127.0.0.1:{free_port} to be free for Triton, but {this_process()} has it already"
    async with claimed_servers(config(grpc_port=free_port)):
        assert await refusal(grpc_port=free_port, http_port=1, metrics_port=2) == taken
        assert await refusal(http_port=free_port, grpc_port=1, metrics_port=2) == taken
    async with claimed_servers(config(grpc_port=free_port)) as (server,):
        assert server.grpc_port == free_port


async def test_a_claim_goes_with_its_process(free_port: int) -> None:
    """A start that was killed leaves no claim behind."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CLAIM, REPOSITORY, str(free_port)), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"claimed\n"
    assert f"(process {process.pid}) has it already" in await refusal(grpc_port=free_port)
    process.kill()
    await process.communicate()
    async with claimed_servers(config(grpc_port=free_port)):
        pass


async def test_a_triton_that_is_about_to_end(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port of a Triton whose start was killed is waited for, as its guard ends it; not for ever."""
    monkeypatch.setattr(ports, "DYING_S", 0.1)
    with listening("tritonserver", free_port) as process:
        sentence = await refusal(grpc_port=free_port)
        assert sentence.endswith(f"but tritonserver (process {process.pid}) has it already")
        monkeypatch.setattr(ports, "DYING_S", WAIT_S)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        async with claimed_servers(config(grpc_port=free_port)):
            pass


@pytest.mark.parametrize("http_port", [0, 8000])
async def test_address_of_another_machine(http_port: int) -> None:
    """A host that this machine cannot listen on is a bad setting, not a port in use."""
    with pytest.raises(BadSetting) as caught:
        async with claimed_servers(config(host="192.0.2.1", http_port=http_port)):
            pass
    assert str(caught.value) == (
        "host: expected an address this machine can listen on, "
        f"got 192.0.2.1:{http_port} (cannot assign requested address)"
    )
