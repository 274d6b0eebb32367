"""embedded/readiness.py"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from embedded import Server
from embedded.readiness import answers
from tests.fake_triton import FakeTriton

STILL_WAITING_S = 0.3
"""Many times as long as ``answers`` takes when nothing holds it up."""


@pytest.fixture
def ports() -> Iterator[list[socket.socket]]:
    """Two ports, taken but closed: connections are refused until somebody listens."""
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
        yield [first, second]


def server_at(fake: FakeTriton, ports: list[socket.socket]) -> Server:
    host, grpc_port = fake.address.split(":")
    http_port, metrics_port = (sock.getsockname()[1] for sock in ports)
    return Server(host, http_port, int(grpc_port), metrics_port)


async def test_waits_for_every_port(ports: list[socket.socket]) -> None:
    """A process whose gRPC is ready has not answered before HTTP and metrics are open as well."""
    async with FakeTriton() as fake:
        answered = asyncio.create_task(answers(server_at(fake, ports)))
        for sock in ports:
            await asyncio.wait({answered}, timeout=STILL_WAITING_S)
            assert not answered.done()
            sock.listen()
        await asyncio.wait_for(answered, 10)


async def test_ports_switched_off(ports: list[socket.socket]) -> None:
    """Nobody waits for a port that the process was told not to open."""
    async with FakeTriton() as fake:
        off = ("--allow-http=false", "--allow-metrics=false")
        await asyncio.wait_for(answers(server_at(fake, ports), off), 10)
