"""The command, as a process of its own: what it prints and its exit status."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import pytest

import lipsync_client
from tests.fake_triton import FakeTriton, fake_jpeg

CLIENT_DIR = Path(lipsync_client.__file__).parent.parent


async def start(*args: object, stderr: Any = PIPE) -> Process:
    """Start the command."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lipsync_client", *map(str, args)),
        stdout=PIPE,
        stderr=stderr,
        env={**os.environ, "PYTHONPATH": str(CLIENT_DIR)},
    )


async def finish(*args: object) -> tuple[int, str, str]:
    """Run the command to its end; return its exit status, output and error output."""
    process = await start(*args)
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_summary_and_saved_frames(fake: FakeTriton, tmp_path: Path) -> None:
    """A good run prints the predecessor's summary and nothing else, and saves the frames it got."""
    status, output, errors = await finish(
        *("--url", fake.address, "--model", "echo", "--count", 10, "--concurrency", 3),
        *("--start", 5, "--save", tmp_path / "new" / "frames"),
    )
    number = r"\d+\.\d"
    expected = (
        rf"Total: 10 requests in \d+\.\d\ds\nSuccess rate: 100\.0%\nThroughput: {number} FPS\n"
        rf"Avg latency: {number}ms\nMin: {number}ms, Max: {number}ms\n"
        rf"p50: {number}ms, p95: {number}ms, p99: {number}ms\n"
    )
    assert re.fullmatch(expected, output)
    assert (status, errors) == (0, "")
    saved = {path.name: path.read_bytes() for path in (tmp_path / "new" / "frames").iterdir()}
    assert saved == {f"echo_{i}.jpg": fake_jpeg("echo", i) for i in range(5, 15)}


async def test_json(fake: FakeTriton) -> None:
    """With --json the same facts come as one object; without --model the first avatar is asked."""
    fake.unload_model("broken")
    status, output, _ = await finish("--url", f"grpc://{fake.address}", "--count", 3, "--json")
    summary = json.loads(output)
    assert status == 0
    assert (summary["model_name"], summary["total"], summary["errors"]) == ("echo", 3, [])
    assert list(summary["latency_ms"]) == ["avg", "min", "max", "p50", "p95", "p99"]


async def test_failed_requests(fake: FakeTriton) -> None:
    """Failed requests are printed with their count, and make the status 1."""
    status, output, _ = await finish("--url", fake.address, "--model", "broken", "--count", 4)
    assert status == 1
    assert "Success rate: 0.0%" in output
    assert re.search(r"^Error \(4x\): .* INTERNAL: the secret of model 'broken'$", output, re.MULTILINE)


async def test_server_away(free_port: int) -> None:
    """Without a server there is one sentence, and no summary."""
    status, output, errors = await finish("--url", f"localhost:{free_port}", "--count", 1)
    assert (status, output) == (1, "")
    assert re.fullmatch(rf"error: expected a Triton server at grpc://localhost:{free_port}, got .*\n", errors)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--count", "0"], "argument --count: expected an integer of at least 1, got '0'"),
        (["--concurrency", "two"], "argument --concurrency: expected an integer of at least 1, got 'two'"),
        (["--start", "-1"], "argument --start: expected an integer of at least 0, got '-1'"),
        (["--url", "ws://localhost"], "got 'ws://localhost': the scheme must be one of"),
        (["--infer-timeout-s", "0"], "infer_timeout_s must be a number of seconds above 0, got 0.0"),
    ],
)
async def test_bad_arguments(args: list[str], sentence: str) -> None:
    """A bad argument is status 2 with what was expected and what came."""
    status, output, errors = await finish(*args)
    assert (status, output) == (2, "")
    assert sentence in errors


async def test_folder_that_cannot_be(fake: FakeTriton, tmp_path: Path) -> None:
    """A file where --save wants a folder is one sentence, before any frame is asked for."""
    (tmp_path / "file").touch()
    status, _, errors = await finish("--url", fake.address, "--model", "echo", "--save", tmp_path / "file")
    assert status == 1
    assert re.fullmatch(r"error: .*File exists.*\n", errors)
    assert not fake.calls


async def test_interrupt_prints_the_summary_so_far(fake: FakeTriton) -> None:
    """Ctrl-C cancels what is in flight, prints what there is, and makes the status 130."""
    process = await start("--url", fake.address, "--model", "slow", "--count", 1000, "--concurrency", 2)
    await fake.wait_for_calls("slow", 2)
    process.send_signal(signal.SIGINT)
    output, errors = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, errors) == (130, b"")
    assert output.startswith(b"Total: 0 requests in")
    await fake.wait_for_cancelled("slow", 2)


async def test_progress_on_a_terminal(fake: FakeTriton) -> None:
    """On a terminal one line counts the requests; it isn't part of the output."""
    ours, theirs = pty.openpty()
    try:
        process = await start("--url", fake.address, "--model", "echo", "--count", 2, stderr=theirs)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        assert re.search(rb"\r1/2 requests, .*\r2/2 requests, ", os.read(ours, 4096))
    finally:
        os.close(ours)
        os.close(theirs)
    assert output.startswith(b"Total: 2 requests in")
