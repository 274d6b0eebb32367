"""One step in a process of its own, which ends when its time is over, whatever it waits for."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from benchmarks.gpu.budget import Step
from benchmarks.gpu.settings import Settings

__all__ = ["DONE", "FAILED", "LATE", "Outcome", "run_step"]

ROOT = Path(__file__).resolve().parent.parent.parent
DONE, FAILED, LATE = "done", "failed", "ended at its limit"
END_LIMIT_S = 3.0
"""How long a process may take to end once it is told to; one that hangs in a driver's call may take for ever."""

PIPE_BYTES = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """How a step ended.

    Attributes:
        state: ``done``, ``failed`` or ``ended at its limit``.
        seconds: How long it took.
        reason: Why it is not done, in one line; else empty.
        log: What its process and its children said.
    """

    state: str
    seconds: float
    reason: str = ""
    log: str = ""


def run_step(
    step: Step, settings: Settings, limit_s: float, tell: Callable[[dict[str, Any]], None]
) -> Outcome:
    """Run a step for at most ``limit_s`` seconds, and end all that it started.

    Args:
        step: Which.
        settings: Of the run.
        limit_s: Seconds until its process group is killed.
        tell: Takes each finding at once.
    """
    start_s = time.monotonic()
    reasons: list[str] = []

    def take(message: dict[str, Any]) -> None:
        if "failed" in message:
            reasons.append(str(message["failed"]))
        else:
            tell(message)

    with tempfile.TemporaryFile() as log, _started(step, settings, limit_s, log) as (process, pipe):
        in_time = _read(pipe, start_s + limit_s, take) and _ends(
            process, start_s + limit_s - time.monotonic()
        )
        left = "" if in_time else _end(process)
        seconds = time.monotonic() - start_s
        log.seek(0)
        text = log.read().decode(errors="replace")
    if not in_time:
        return Outcome(LATE, seconds, f"it took more than {limit_s:.0f} s{left}", text)
    if process.returncode:
        return Outcome(FAILED, seconds, reasons[-1] if reasons else _describe(process.returncode), text)
    return Outcome(DONE, seconds, "", text)


@contextlib.contextmanager
def _started(
    step: Step, settings: Settings, limit_s: float, log: IO[bytes]
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start the step's process in a group of its own; end the group with the block, Ctrl-C included."""
    reading, writing = os.pipe()
    arguments = [
        str(writing),
        f"{limit_s:.3f}",
        step.module,
        settings.to_json(),
        json.dumps(dict(step.arguments)),
    ]
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu.step", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": _python_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            start_new_session=True,
        )
    finally:
        os.close(writing)
    try:
        yield process, reading
    finally:
        _end(process)
        os.close(reading)


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def _read(pipe: int, end_s: float, take: Callable[[dict[str, Any]], None]) -> bool:
    """Take each line until the pipe is closed; return false when the time is over before."""
    rest = b""
    while (left_s := end_s - time.monotonic()) > 0:
        if not select.select([pipe], [], [], left_s)[0]:
            return False
        data = os.read(pipe, PIPE_BYTES)
        if not data:
            return True
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            take(json.loads(line))
    return False


def _ends(process: subprocess.Popen[bytes], limit_s: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, limit_s))
    return process.returncode is not None


def _end(process: subprocess.Popen[bytes]) -> str:
    """Kill the step's group; return what to say of a process that does not even end then."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if _ends(process, END_LIMIT_S) and number == signal.SIGKILL:
            return ""
    return f", and process {process.pid} does not end"


def _describe(code: int) -> str:
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process exited with code {code}"
