"""triton_lipsync/start.py"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedded import Server
from embedded.control import default_path
from tests.conftest import Clip, Workspace
from tests.embedded.processes import STUB, WAIT_S, find_family
from tests.embedded.test_ports import this_process
from tests.gpu_stand_in.machine import needs_compiler, put_cards_in
from triton_lipsync import start
from triton_lipsync.start import main


@pytest.fixture(scope="module")
def model_repository(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Path:
    """The models of one avatar."""
    root = tmp_path_factory.mktemp("served")
    workspace = Workspace(root / "avatars", root / "model_repository")
    workspace.import_avatar("demo", clip)
    return workspace.model_repository


@dataclass
class Serving:
    """A running ``python -m triton_lipsync.start`` and what it printed."""

    process: asyncio.subprocess.Process
    lines: list[str]

    async def read_until(self, beginning: str) -> str:
        """Read what it prints up to the line that begins so, and return that line."""
        assert self.process.stdout is not None
        while line := (await asyncio.wait_for(self.process.stdout.readline(), WAIT_S)).decode():
            self.lines.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError(self.lines)


@contextlib.asynccontextmanager
async def serving(model_repository: Path) -> AsyncIterator[Serving]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "triton_lipsync.start", "--model-repository", model_repository),
        *("--port", "0", "--triton-port", "0"),
        stdout=subprocess.PIPE,
    )
    try:
        yield Serving(process, [])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


def run(command: str) -> str:
    """Run a command line of curl, and return HTTP's status."""
    shown = subprocess.run(
        f"{command} --silent --write-out '%{{http_code}}'",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
        return bytes(answer.read())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serves_until_a_signal(model_repository: Path, number: signal.Signals) -> None:
    """The printed page is healthy and answers frames, and the printed command loads an avatar.

    Ctrl-C or SIGTERM stops all of it with exit code 0.
    """
    async with serving(model_repository) as demo:
        page = (await demo.read_until("page ")).split()[1]
        port = re.findall(r"gRPC 127\.0\.0\.1:(\d+)", "".join(demo.lines))[0]
        family = find_family(f"--grpc-port={port}")
        health = json.loads(await asyncio.to_thread(get, f"{page.rstrip('/')}/health"))
        frame = await asyncio.to_thread(get, f"{page.rstrip('/')}/frames/demo/3.jpg")
        load = (
            next(line for line in demo.lines if line.startswith("avatars ")).removeprefix("avatars ").strip()
        )
        loaded = await asyncio.to_thread(run, load.replace("NAME", "demo"))
        secret = default_path(int(re.findall(r"HTTP 127\.0\.0\.1:(\d+)", "".join(demo.lines))[0]))
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        demo.process.send_signal(number)
        await demo.read_until("stopped")
        assert await asyncio.wait_for(demo.process.wait(), WAIT_S) == 0
    assert "compute  demo_speech, demo_unet on the CPU\n" in demo.lines
    assert health["healthy"] is True
    assert loaded == "200"
    assert not secret.exists()
    assert frame.startswith(b"\xff\xd8")
    assert all(process.ended() for process in family.members)
    assert not family.shared_memory()


async def test_signal_while_triton_starts(model_repository: Path) -> None:
    """Ctrl-C before Triton is ready stops it with exit code 0 and leaves no process."""
    async with serving(model_repository) as demo:
        family = await asyncio.to_thread(find_family, str(model_repository), with_part=STUB)
        demo.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(demo.process.wait(), WAIT_S) == 0
    assert all(process.ended() for process in family.members)
    assert not family.shared_memory()


@needs_compiler
async def test_says_what_computes_where(
    model_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine with a card that ONNX Runtime cannot use, the start says what computes instead, and why."""
    put_cards_in(monkeypatch, tmp_path, cards=1, runtime=False)
    async with serving(model_repository) as demo:
        line = await demo.read_until("compute ")
        demo.process.send_signal(signal.SIGINT)
        await demo.read_until("stopped")
    expected = "compute  demo_speech, demo_unet on the CPU: the package onnxruntime "
    assert line.startswith(expected)
    assert line.endswith("has no CUDA provider: in its place, pip install 'onnxruntime-gpu[cuda,cudnn]'\n")


def test_triton_without_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Triton that has no metrics says nothing of what computes where."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert start._compute(Server("127.0.0.1", 0, 0, port)) == []


def check_refused(capsys: pytest.CaptureFixture[str], argv: list[str], sentence: str) -> None:
    assert main(argv) == 1
    out, err = capsys.readouterr()
    assert "page" not in out
    assert err.splitlines()[-1] == f"error: {sentence}"


def test_page_port_in_use(model_repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port of the page that is in use is one sentence and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        arguments = ["--model-repository", str(model_repository), "--triton-port", "0", "--port", str(port)]
        sentence = f"expected to listen on port {port} of 127.0.0.1, got: address already in use"
        check_refused(capsys, arguments, sentence)


def test_triton_port_in_use(model_repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port of Triton that is in use is one sentence and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        arguments = ["--model-repository", str(model_repository), "--triton-port", str(port)]
        sentence = f"expected 127.0.0.1:{port} to be free for Triton, but {this_process()} has it already"
        check_refused(capsys, arguments, sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--strategy", "fastest"],
            "strategy: expected one of batching, hybrid, latency, multi_instance, replay, got fastest",
        ),
        (["--grpc-port", "99999"], "grpc_port: expected an integer from -1 to 65535, got '99999'"),
        (["--model-repository", "/nowhere"], "model_repository: expected a folder, got /nowhere"),
        (
            ["--triton-port", "70000"],
            "http_port: expected ports within 0 to 65535 for every process, got 70000",
        ),
    ],
)
def test_bad_settings(
    model_repository: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    """A setting that cannot work is one sentence and exit code 1."""
    check_refused(capsys, ["--model-repository", str(model_repository), *options], sentence)
