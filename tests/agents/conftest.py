"""What the tests of all adapters share: a real Triton with the demo avatar, and bridges in front of it.

The servers run in the project's own environment, .venv, whose NumPy is not that of the frameworks.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
AVATAR = "demo"
PATIENCE = ("--speech-admission", "off", "--speech-timeout-s", "60")
"""For a machine that may be busy: most tests are not about time."""

STOP_TIMEOUT_S = 20.0
BOUND = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: who is killed can stop nothing any more
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""
"""Runs a module as ``python -m`` does, and stops it when the process dies that started it."""


@dataclass(frozen=True)
class Running:
    """A server that runs.

    Attributes:
        url: Where it answers.
        process: Its own, which heads a process group.
    """

    url: str
    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Let it die at once, as a crash would, and return when it has."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(*arguments: str, announces: str) -> Iterator[Running]:
    """Run a module of the project until the block ends; the group of ``announces`` is where it says that it answers."""
    with subprocess.Popen(
        [str(PYTHON), "-c", BOUND, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = (re.search(announces, line) for line in process.stdout)
            found = next(filter(None, lines), None)
            assert found is not None, f"{arguments} never announced itself"
            yield Running(found[1], process)
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_TIMEOUT_S)
            process.kill()


@contextlib.contextmanager
def running_bridge(triton: Running, *arguments: str, port: int = 0) -> Iterator[Running]:
    """Run a bridge in front of a Triton, with more settings than those for patience if need be."""
    ports = ("--port", str(port), "--grpc-port", "-1")
    upstreams = ("--upstreams", triton.url, "--log-level", "error")
    with running(
        "bridge", *upstreams, *ports, *PATIENCE, *arguments, announces=r"^bridge: (http://\S+?)/? "
    ) as bridge:
        yield bridge


@pytest.fixture(scope="session")
def triton() -> Iterator[Running]:
    """A real Triton with the demo avatar; its ``url`` is that of gRPC."""
    free = ("--http-port", "0", "--quiet", "--strategy", "latency", "--stop-timeout-s", "3")
    with running("embedded", *free, announces=r"^Triton is ready: gRPC (\S+),") as triton:
        yield triton


@pytest.fixture(scope="session")
def bridge(triton: Running) -> Iterator[Running]:
    """A real bridge in front of it, shared; its ``url`` is what clients are given."""
    with running_bridge(triton) as bridge:
        yield bridge


@pytest.fixture
def start_bridge(triton: Running) -> Iterator[Callable[..., Running]]:
    """Start bridges of a test's own: ``start_bridge("--port", "8099", …)``; one may be killed."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(running_bridge(triton, *arguments, **options))
