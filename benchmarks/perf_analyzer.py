"""Triton's own load generator, run once per strategy and concurrency."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import LoadFailed, NotAvailable

__all__ = ["PROGRAM", "Load", "Measurement", "parse_csv", "run_perf_analyzer", "why_it_cannot_run"]

PROGRAM = Path("build/perf_analyzer/perf_analyzer")
"""Where ``make`` puts it."""

COMPUTE = ("Server Compute Input", "Server Compute Infer", "Server Compute Output")
MICROSECONDS_PER_MS = 1000.0
MARGIN_S = 120.0
START_LIMIT_S = 10.0
WINDOWS = 6
"""Most windows that it measures; it ends earlier when three in a row agree."""

STABLE_PERCENT = 100
REPORT_CHARACTERS = 500


@dataclass(frozen=True)
class Load:
    """What to measure.

    Attributes:
        model_name: An avatar.
        concurrency: Requests in flight at a time.
        window_s: Length of one measurement window; perf_analyzer takes three that agree.
        frame_count: Frame ids 0 to ``frame_count - 1`` are asked for in turn.
    """

    model_name: str
    concurrency: int
    window_s: float
    frame_count: int


@dataclass(frozen=True)
class Measurement:
    """What perf_analyzer found at one concurrency, times in milliseconds.

    Waiting is the network, the server's sending and receiving, and its queues. perf_analyzer has a column for queues,
    but in an ensemble it counts the time before a busy model as time on the wire.
    """

    concurrency: int
    frames_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    waiting_ms: float
    compute_ms: float


def run_perf_analyzer(url: str, load: Load) -> Measurement:
    """Measure one load over gRPC.

    Raises:
        NotAvailable: If the program was not fetched.
        LoadFailed: If it reports an error, or no frames.
    """
    if not PROGRAM.is_file():
        raise NotAvailable("perf_analyzer", f"expected it in {PROGRAM}, got no such file: make {PROGRAM}")
    with tempfile.TemporaryDirectory(prefix="perf-") as folder:
        data, report = Path(folder) / "data.json", Path(folder) / "report.csv"
        rows = [{"frame_id": [index]} for index in range(load.frame_count)]
        data.write_text(json.dumps({"data": rows}), encoding="utf-8")
        output = _run([str(PROGRAM), *_arguments(url, load, data, report)], load)
        if not report.is_file():
            raise LoadFailed("perf_analyzer", output[-REPORT_CHARACTERS:])
        return parse_csv(report.read_text(encoding="utf-8"))


def why_it_cannot_run() -> str:
    """Return why the program does not start here, in one line; empty where it does."""
    if not PROGRAM.is_file():
        return f"expected it in {PROGRAM}, got no such file: make {PROGRAM}"
    try:
        command = [str(PROGRAM.resolve()), "--version"]
        done = subprocess.run(
            command, env=_environment(), capture_output=True, text=True, timeout=START_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return " ".join(str(exc).split())
    return " ".join(done.stderr.split()) or f"exit code {done.returncode}" if done.returncode else ""


def parse_csv(text: str) -> Measurement:
    """Read a report of one concurrency.

    Raises:
        LoadFailed: If it has no row, or lacks a column.
    """
    try:
        row = next(csv.DictReader(text.splitlines()))
        microseconds = {key: float(value) for key, value in row.items() if key and value}
        return Measurement(
            concurrency=int(microseconds["Concurrency"]),
            frames_per_s=microseconds["Inferences/Second"],
            p50_ms=microseconds["p50 latency"] / MICROSECONDS_PER_MS,
            p95_ms=microseconds["p95 latency"] / MICROSECONDS_PER_MS,
            p99_ms=microseconds["p99 latency"] / MICROSECONDS_PER_MS,
            waiting_ms=_sum(microseconds, "Network+Server Send/Recv", "Server Queue") / MICROSECONDS_PER_MS,
            compute_ms=_sum(microseconds, *COMPUTE) / MICROSECONDS_PER_MS,
        )
    except (StopIteration, KeyError, ValueError) as exc:
        raise LoadFailed("perf_analyzer's report", repr(text[:200])) from exc


def _sum(row: dict[str, float], *columns: str) -> float:
    return sum(row[column] for column in columns)


def _arguments(url: str, load: Load, data: Path, report: Path) -> Sequence[str]:
    options = {
        "-m": load.model_name,
        "-i": "grpc",
        "-u": url,
        "--input-data": str(data),
        "--concurrency-range": str(load.concurrency),
        "--measurement-interval": str(round(load.window_s * 1000)),
        "--stability-percentage": str(STABLE_PERCENT),
        "--max-trials": str(WINDOWS),
        "-f": str(report),
    }
    return [part for option in options.items() for part in option]


def _environment() -> dict[str, str]:
    """Return an environment in which the program finds the CUDA runtime, wherever packages are imported from."""
    folders = [Path(folder) / "nvidia" / "cuda_runtime" / "lib" for folder in sys.path]
    found = [str(folder) for folder in folders if folder.is_dir()]
    inherited = os.environ.get("LD_LIBRARY_PATH", "")
    return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(filter(None, [*found, inherited]))}


def _run(command: Sequence[str], load: Load) -> str:
    environment = _environment()
    limit_s = WINDOWS * load.window_s + MARGIN_S
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise LoadFailed("perf_analyzer", f"no end within {limit_s:g} s") from exc
    return done.stdout + done.stderr
