"""A server under test in a process of its own, which prints its port once it answers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.errors import NotAvailable

__all__ = ["OTHER_SERVERS_PYTHON", "READY", "running"]

READY = "ready on port "
START_LIMIT_S = 120.0
STOP_LIMIT_S = 20.0
OTHER_SERVERS_PYTHON = Path("build/baselines/bin/python")
"""Where ``make`` installs LitServe and Ray Serve, apart from the project's own packages."""


@contextlib.contextmanager
def running(name: str, arguments: Sequence[str], python: Path = Path(sys.executable)) -> Iterator[int]:
    """Run a Python program until the block ends, and yield the port it said.

    Raises:
        NotAvailable: If it ends before it is ready, or takes too long; its last words are the reason.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    process = subprocess.Popen(
        [str(python), *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield _wait_for_port(name, process)
    finally:
        _stop(process)


def _wait_for_port(name: str, process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    too_long = threading.Event()

    def end() -> None:
        too_long.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # ends its output, which is waited for below

    limit = threading.Timer(START_LIMIT_S, end)
    limit.start()
    last = "no output"
    try:
        for line in process.stdout:
            if line.startswith(READY):
                return int(line[len(READY) :])
            last = line.strip() or last
    finally:
        limit.cancel()
    if too_long.is_set():
        raise NotAvailable(name, f"it was not ready within {START_LIMIT_S:g} s; its last words: {last}")
    raise NotAvailable(name, last)


def _stop(process: subprocess.Popen[str]) -> None:
    """End the program and all that it started; they form one group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=STOP_LIMIT_S)
            return
