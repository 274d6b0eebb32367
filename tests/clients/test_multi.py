"""lipsync_client/multi.py"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

import lipsync_client
from lipsync_client import ServerUnavailable
from lipsync_client.multi import compare
from lipsync_client.tester import Run
from tests.fake_triton import FakeTriton

CLIENT_DIR = Path(lipsync_client.__file__).parent.parent


async def finish(*args: object) -> tuple[int, str, str]:
    """Run the command to its end; return its exit status, output and error output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lipsync_client.multi", *map(str, args)),
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PYTHONPATH": str(CLIENT_DIR)},
    )
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_two_servers() -> None:
    """Both servers are asked at once, after the first one alone; the summary says what came of it."""
    async with FakeTriton(models=["demo"]) as first, FakeTriton(models=["demo"]) as second:
        ports = [fake.address.rpartition(":")[2] for fake in (first, second)]
        status, output, errors = await finish("--host", "127.0.0.1", "--ports", *ports, "--requests", 20)
    assert (status, errors) == (0, "")
    for number, port in enumerate(ports, 1):
        assert f"Server {number} (grpc://127.0.0.1:{port}):\n   Requests: 20/20 successful\n" in output
    assert re.search(r"^Total throughput: \d+\.\d FPS\nSpeedup: \d+\.\dx\n\S.+\.\n$", output, re.MULTILINE)
    assert (first.calls["demo"], second.calls["demo"]) == (41, 21)  # one each to warm up


async def test_json() -> None:
    """With --json the comparison is one object."""
    async with FakeTriton(models=["demo"]) as fake:
        status, output, _ = await finish("--urls", f"grpc://{fake.address}", "--requests", 2, "--json")
    assert status == 0
    assert json.loads(output)["servers"][0]["total"] == 2


async def test_a_server_that_is_away(free_port: int) -> None:
    """A server that isn't there is one sentence and status 1."""
    async with FakeTriton(models=["demo"]) as fake:
        status, output, errors = await finish("--urls", fake.address, f"127.0.0.1:{free_port}")
        assert (status, output) == (1, "")
        assert re.fullmatch(rf"error: .*127\.0\.0\.1:{free_port}.*\n", errors)
        with pytest.raises(ServerUnavailable):
            await compare([f"127.0.0.1:{free_port}"], Run(count=1))


@pytest.mark.parametrize("args", [[], ["--ports", "x"], ["--ports", "0"], ["--urls", "ftp://a"]])
async def test_bad_arguments(args: list[str]) -> None:
    """Arguments that cannot be are a usage message and status 2."""
    status, output, errors = await finish(*args)
    assert (status, output) == (2, "")
    assert "error: " in errors
